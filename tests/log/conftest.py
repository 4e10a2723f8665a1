"""Commits to append, without a machine around them."""

from collections.abc import Callable

import pytest

from cim.contract.envelope import Commit, Origin

Make = Callable[..., Commit]


@pytest.fixture
def make() -> Make:
    """``make("c1")``: an unwritten commit of that id, on one subject unless another is named."""

    def commit(id: str, body: bytes = b"[]", subject: str = "evt.shop.Jar.j1") -> Commit:
        return Commit(
            subject=subject,
            number=0,
            origin=Origin.root(id, "tester"),
            source="cim:test",
            type="shop.Jar.Committed",
            time="2026-01-02T03:04:05.000000Z",
            schema="cim:0",
            body=body,
        )

    return commit
