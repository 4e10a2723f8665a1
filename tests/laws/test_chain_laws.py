"""Laws of the envelope and the chain: what is written comes back, and nothing can be changed unseen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cim.contract.envelope import BadEnvelope, Commit, Derivation, Origin
from cim.contract.stranger import stored
from cim.domain.errors import CimError
from cim.log.chain import Chains, Head

LAWS = settings(deadline=None, database=None, derandomize=True, max_examples=100)

TOKENS = st.text("abcXYZ019_=-", min_size=1, max_size=12)
VALUES = st.text(max_size=20).map(lambda text: "".join(one for one in text if one.isprintable()).strip())
TEXTS = st.text(max_size=9) | st.text(" a\n\xa0", max_size=3)
NAMES = st.text("aäZ./_", min_size=1, max_size=12)
DERIVATIONS = st.builds(
    Derivation,
    system=VALUES,
    version=VALUES,
    inputs=st.dictionaries(NAMES, st.integers(0, 10**12), max_size=4),
    took=st.integers(0, 10**9).map(lambda micro: micro / 1000),
    outcome=st.sampled_from(["done", "failed"]),
)
COMMITS = st.builds(
    Commit,
    subject=st.builds("evt.{}.{}.{}".format, TOKENS, TOKENS, TOKENS),
    number=st.integers(0, 10**9),
    origin=st.builds(Origin, VALUES, VALUES, VALUES, VALUES),
    source=VALUES,
    type=VALUES,
    time=VALUES,
    schema=VALUES,
    body=st.binary(max_size=60),
    previous=VALUES,
    request=st.none() | VALUES,
    derivation=st.none() | DERIVATIONS,
    sequence=st.integers(0, 2**53),
)


@dataclass(frozen=True)
class Message:
    """A commit as it stands in a stream."""

    subject: str
    headers: Mapping[str, str]
    body: bytes

    def changed(self, part: str, body: bytes) -> "Message":
        """The same with other bytes in one of its parts; a header is named."""
        if part == "body":
            return Message(self.subject, self.headers, body)
        if part == "subject":
            return Message(body.decode(), self.headers, self.body)
        return Message(self.subject, {**self.headers, part: body.decode()}, self.body)

    def part(self, part: str) -> bytes:
        """The bytes of one of its parts."""
        if part == "body":
            return self.body
        return (self.subject if part == "subject" else self.headers[part]).encode()


def chained(commits: list[Commit]) -> list[Message]:
    """The commits one behind the other on the subject of the first."""
    head = Head()
    found: list[Message] = []
    for commit in commits:
        made = head.link(replace(commit, subject=commits[0].subject))
        head = head.advance(made.at(len(found) + 1))
        found.append(Message(made.subject, made.headers(), made.body))
    return found


def passes(messages: list[Message]) -> bool:
    """Whether a reader takes them for a history of one subject of which nothing is missing."""
    chains = Chains()
    try:
        for place, message in enumerate(messages):
            chains.advance(stored(message.subject, message.headers, message.body, place + 1))
    except CimError:
        return False
    return len(chains.heads) == 1


HISTORIES = st.lists(COMMITS, min_size=2, max_size=4).map(chained)


@LAWS
@given(COMMITS)
def test_a_commit_comes_back_as_it_was_written(commit: Commit) -> None:
    back = Commit.parse(commit.subject, commit.headers(), commit.body, commit.sequence)
    assert back == commit
    assert back.digest == commit.digest


@LAWS
@given(COMMITS, st.sampled_from(["source", "type", "time", "schema", "previous", "request"]), TEXTS)
def test_a_header_that_would_not_come_back_is_refused(commit: Commit, field: str, text: str) -> None:
    given_text: dict[str, Any] = {field: text}
    with_text = replace(commit, **given_text)
    if text.isprintable() and text == text.strip():
        assert text in with_text.headers().values()
    else:
        with pytest.raises(BadEnvelope, match="cannot hold"):
            with_text.headers()


@LAWS
@given(HISTORIES)
def test_a_whole_history_passes(history: list[Message]) -> None:
    assert passes(history)


PUT = (b"", b"0", b"1", b" ", b"+", b"_", b",", b"#", b"\n", b"a", b"\xff")


def harmed(content: bytes) -> Iterator[bytes]:
    """The content with one byte changed, added or taken away, at every place of it."""
    for at in range(len(content) + 1):
        for put in PUT:
            yield content[:at] + put + content[at:]
            yield content[:at] + put + content[at + 1 :]


def test_a_byte_that_was_changed_added_or_taken_away_is_found_wherever_it_stands() -> None:
    derivation = Derivation("jars.wiegen", "v1", {"state": 10, "labels.Label": 2}, 1012.5, "done")
    origin = Origin("run-1", "root-1", "cause-1", "person:Zoë Ünal")
    whole = Commit(
        "cmp.jars.Jar.j1.jars", 0, origin, "cim:here", "t", "2026", "s", b"[1]", "", "Put/5", derivation
    )
    history = chained([whole] * 11)
    unseen = []
    for part in ("subject", "body", *history[9].headers):
        before = history[9].part(part)
        for after in harmed(before):
            if after != before and not is_found(history, 9, part, after):
                unseen.append((part, after))
    assert unseen == []


def is_found(history: list[Message], place: int, part: str, after: bytes) -> bool:
    """Whether a reader sees that a part of the message at ``place`` has these bytes now."""
    try:
        changed = history[place].changed(part, after)
    except UnicodeDecodeError:  # a header that is no text is no header
        return True
    return not passes([*history[:place], changed, *history[place + 1 :]])


@LAWS
@given(HISTORIES, st.data())
def test_a_changed_byte_of_any_history_is_found(history: list[Message], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(history) - 2), "place")
    part = data.draw(st.sampled_from(["subject", "body", *sorted(history[place].headers)]), "part")
    before = history[place].part(part)
    at, taken = data.draw(st.integers(0, len(before)), "at"), data.draw(st.integers(0, 1), "taken")
    after = before[:at] + data.draw(st.binary(max_size=1), "put") + before[at + taken :]
    assume(after != before)
    assert is_found(history, place, part, after)


@LAWS
@given(HISTORIES, st.data())
def test_a_commit_that_is_missing_doubled_or_out_of_its_order_is_found(
    history: list[Message], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(history) - 2))
    one, next_one = history[place], history[place + 1]
    before, behind = history[:place], history[place + 2 :]
    assert not passes([*before, next_one, *behind])
    assert not passes([*before, one, one, next_one, *behind])
    assert not passes([*before, next_one, one, *behind])


@LAWS
@given(HISTORIES, st.sampled_from(["ce-system", "ce-request", "ce-owner", "ce-took", "ce-inputs"]))
def test_a_header_that_is_taken_out_is_found(history: list[Message], name: str) -> None:
    first = history[0]
    assume(name in first.headers)
    headers = {key: value for key, value in first.headers.items() if key != name}
    assert not passes([Message(first.subject, headers, first.body), *history[1:]])
