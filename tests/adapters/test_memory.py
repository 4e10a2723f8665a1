"""The adapters in memory hold what all adapters hold."""

import pytest

from cim.adapters.memory.blobs import MemoryBlobs
from cim.adapters.memory.log import MemoryLog
from cim.adapters.memory.snapshots import MemorySnapshots
from cim.testing.blobs_conformance import BlobsConformance
from cim.testing.log_conformance import Intrude, LogConformance
from cim.testing.snapshots_conformance import SnapshotsConformance


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


class TestMemorySnapshots(SnapshotsConformance):
    @pytest.fixture
    def snapshots(self) -> MemorySnapshots:
        return MemorySnapshots()
