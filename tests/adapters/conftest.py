"""A real server for each test, its log and its store of contents."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite(
    "cim.testing.log_conformance",
    "cim.testing.blobs_conformance",
    "cim.testing.index_conformance",
    "cim.testing.snapshots_conformance",
)

from cim.adapters.nats.blobs import NatsBlobs  # noqa: E402 - after the line above, or their asserts are bare
from cim.adapters.nats.log import NatsLog  # noqa: E402
from cim.testing.bare_leaf import BareLeaf, bare_leaf  # noqa: E402


@pytest.fixture
def told() -> list[str]:
    """What server and connection told, in words."""
    return []


@pytest.fixture
async def leaf(tmp_path: Path, told: list[str]) -> AsyncIterator[BareLeaf]:
    async with bare_leaf(tmp_path / ".cim", told.append) as running:
        yield running


@pytest.fixture
async def nats_log(leaf: BareLeaf) -> NatsLog:
    return await NatsLog.open(leaf.client)


@pytest.fixture
async def nats_blobs(leaf: BareLeaf) -> NatsBlobs:
    return await NatsBlobs.open(leaf.client)
