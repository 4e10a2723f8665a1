"""The adapters in memory hold what all adapters hold."""

import pytest

from cim.adapters.memory.blobs import MemoryBlobs
from cim.adapters.memory.log import MemoryLog
from cim.testing.blobs_conformance import BlobsConformance
from cim.testing.log_conformance import Intrude, LogConformance


class TestMemoryLog(LogConformance):
    @pytest.fixture
    def log(self) -> MemoryLog:
        return MemoryLog()

    @pytest.fixture
    def intrude(self, log: MemoryLog) -> Intrude:
        return log.intrude


class TestMemoryBlobs(BlobsConformance):
    @pytest.fixture
    def blobs(self) -> MemoryBlobs:
        return MemoryBlobs()
