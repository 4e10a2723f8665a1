"""The header block in one step: it says what the general way says, and leaves to that what is unusual."""

import hashlib
from dataclasses import replace

import pytest

from cim.contract.envelope import BadEnvelope, Commit, Derivation, Origin, block_of
from cim.contract.read import parse_block


def commit(owner: str = "person:ann", derivation: Derivation | None = None) -> Commit:
    return Commit(
        subject="evt.shop.Jar.j1",
        number=3,
        origin=Origin("c1", "r1", "p1", owner),
        source="cim:test",
        type="shop.Jar.Committed",
        time="2024-05-06T07:08:09.123456Z",
        schema="cim:0123456789abcdef",
        body=b"[]",
        previous="a" * 64,
        request="Put/5f",
        derivation=derivation,
    )


DERIVED = Derivation("read", "1", {"state": 4}, 0.5, "done")
WHOLE = [
    commit(),
    replace(commit(), request=None),
    commit("person:Ann Lee"),
    commit("person:Zoë"),
    commit("a: b:c"),
    commit("ann", DERIVED),
]


def headers(block: bytes) -> dict[str, str]:
    lines = block.decode().split("\r\n")
    assert lines[0] == "NATS/1.0"
    assert lines[-2:] == ["", ""]
    return dict(line.split(": ", 1) for line in lines[1:-2])


@pytest.mark.parametrize("made", WHOLE, ids=lambda made: made.origin.owner)
def test_a_block_holds_the_headers_and_the_expectation(made: Commit) -> None:
    found = headers(block_of(made, 17))
    assert found == {**made.headers(), "Nats-Expected-Last-Subject-Sequence": "17"}


@pytest.mark.parametrize("made", WHOLE, ids=lambda made: made.origin.owner)
def test_the_digest_is_the_same_whichever_way_a_commit_came(made: Commit) -> None:
    named = sorted(made.headers().items())
    text = "\n".join([made.subject, *(f"{name}:{value}" for name, value in named)])
    right = hashlib.sha256(text.encode() + b"\n\n" + made.body).hexdigest()
    asked_first = replace(made)
    assert asked_first.digest == right
    block = block_of(made, 0)
    assert made.digest == right
    assert made.at(9).digest == right
    parsed = parse_block(made.subject, block, made.body, 9) or Commit.parse(
        made.subject, headers(block), made.body, 9
    )
    assert parsed == made.at(9)
    assert parsed.digest == right
    assert replace(parsed, body=b"[1]").digest != right
    assert replace(made, time="2025-01-01T00:00:00.000000Z").digest != right


def test_the_usual_block_is_read_in_one_step_with_what_the_server_adds() -> None:
    block = block_of(commit(), 2).removesuffix(b"\r\n") + b"Nats-Stream: LOG\r\nNats-Sequence: 9\r\n\r\n"
    assert parse_block("evt.shop.Jar.j1", block, b"[]", 9) == commit().at(9)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"evt.shop.Jar.j1", b"evt.shop.Jar.j2"),
        (b"specversion: 1.0", b"specversion: 1.1"),
        (b"ce-number: 3", b"ce-number: x"),
        (b"ce-number: 3", b"ce-number: " + b"9" * 5000),
        (b"ce-owner: person:ann\r\n", b""),
        (b"ce-owner: person:ann", b"ce-owner: a\tb"),
        (b"ce-owner: person:ann", b"ce-owner: \xff"),
        (b"ce-type", b"ce-id: c2\r\nce-type"),
        (b"NATS/1.0", b"NATS/1.0 503"),
        (b"\r\n\r\n", b"\r\n"),
    ],
)
def test_any_other_block_is_left_to_the_general_way(old: bytes, new: bytes) -> None:
    block = block_of(commit(), 2)
    assert old in block
    assert parse_block("evt.shop.Jar.j1", block.replace(old, new), b"[]", 9) is None


@pytest.mark.parametrize("owner", ["a\nb", "a\r\nce-id:x", " a", "a ", "a\x00", "a\u2028b"])
def test_no_value_that_would_begin_another_header_is_written_or_hashed(owner: str) -> None:
    with pytest.raises(BadEnvelope, match="header ce-owner cannot hold"):
        block_of(commit(owner), 0)
    with pytest.raises(BadEnvelope, match="header ce-owner cannot hold"):
        _ = commit(owner).digest
