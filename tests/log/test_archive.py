"""A whole log as lines: whatever stood in it comes back bit for bit, and each harm is found by its line."""

import base64
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cim.adapters.memory.log import MemoryLog
from cim.contract.envelope import Commit, Derivation, Origin
from cim.contract.stranger import stranger
from cim.log.archive import (
    ArchiveDamaged,
    ArchiveReader,
    Closing,
    History,
    closing_line,
    commit_line,
    contents_of,
)
from cim.log.chain import Head
from cim.testing.log_conformance import commit, read_all, store

SCAN = b'[{"type":"Received","version":1,"data":{"scan":{"sha256":"ab","size":2,"media":"image/png"}}}]'


def chain(*bodies: bytes) -> list[Commit]:
    """Commits that follow each other on one subject."""
    made, head = list[Commit](), Head()
    for number, body in enumerate(bodies, 1):
        made.append(head.link(commit("evt.notes.Note.a", f"id-{number}", body)).at(number))
        head = head.advance(made[-1])
    return made


def written(commits: list[Commit]) -> list[bytes]:
    """The lines of an archive of these commits."""
    history = History()
    lines = [commit_line(one, history) for one in commits]
    closing = Closing(history.commits, history.digest, 0)
    return [*lines, closing_line(closing, "cim:notes", "2024-05-06T07:08:09.123456Z")]


def read(lines: list[bytes]) -> list[Commit]:
    return list(ArchiveReader().commits(lines))


@given(st.lists(st.one_of(st.binary(), st.text().map(str.encode), st.just(SCAN)), max_size=4))
def test_any_bodies_come_back_bit_for_bit(bodies: list[bytes]) -> None:
    commits = chain(*bodies)
    lines = written(commits)
    assert read(lines) == commits
    assert [one.digest for one in read(lines)] == [one.digest for one in commits]
    assert all(line.count(b"\n") == 1 for line in lines)


def test_a_line_is_a_cloud_event_in_structured_mode() -> None:
    derivation = Derivation("documents.läs", "abc", {"state": 1, "languages.Language": 2}, 12.5, "done")
    whole = replace(
        commit("cmp.documents.Document.a.documents", "run-1", SCAN, number=3),
        origin=Origin("run-1", "root-1", "cause-1", "person:Zoë Ünal"),
        previous="ab" * 32,
        request="Receive/5f",
        derivation=derivation,
        sequence=7,
    )
    line = written([whole])[0]
    event = msgspec.json.decode(line)
    assert event["data"] == msgspec.json.decode(SCAN)
    assert SCAN in line
    assert (event["specversion"], event["id"], event["subject"]) == ("1.0", "run-1", whole.subject)
    assert event["datacontenttype"] == "application/json"
    # Names of attributes are lower-case letters and digits, says CloudEvents 1.0.
    assert all(name.isalnum() and name == name.lower() for name in event)
    assert read(written([whole])) == [whole]


@pytest.mark.parametrize("body", [b"", b"[]\n", b" []", b"\xff", b"[" * 5000, b'"\xed\xa0\x80"'])
def test_a_body_that_is_no_line_of_json_is_kept_in_base64(body: bytes) -> None:
    event = msgspec.json.decode(written(chain(body))[0])
    assert base64.b64decode(event["data_base64"]) == body
    assert "data" not in event


async def test_a_message_that_no_machine_wrote_keeps_its_place() -> None:
    log = MemoryLog()
    first = await store(log, commit("evt.notes.Note.a", "a1"))
    await log.intrude("evt.notes.Note.a", {"x": "y"}, b"\x00 hello")
    await store(log, commit("evt.notes.Note.b", "b1"))
    stood = await read_all(log)
    found = read(written(stood))
    assert found == stood
    assert found[0] == first
    assert [one.digest for one in found] == [one.digest for one in stood]


def test_an_empty_log_is_one_line() -> None:
    assert read(written([])) == []


Harm = Callable[[list[bytes]], list[bytes]]

HARMS: dict[str, tuple[Harm, str]] = {
    "the end is cut": (lambda lines: lines[:-1], "ends after line 3 without the line that closes it"),
    "all is cut": (lambda lines: [], "ends after line 0"),
    "cut in a line": (lambda lines: [*lines[:2], lines[2][:-9]], "line 3 is cut off in the middle"),
    "one is lost": (lambda lines: [lines[0], *lines[2:]], r"line 2 \(evt.notes.Note.a #3\) is not what"),
    "the last is lost": (lambda lines: [*lines[:2], lines[3]], "line 3 closes an archive of 3 commits"),
    "two changed places": (lambda lines: [lines[1], lines[0], *lines[2:]], "line 1 .* is not what was"),
    "one is doubled": (lambda lines: [lines[0], *lines], "line 2 .* is not what was"),
    "the body changed": (lambda lines: [lines[0], lines[1].replace(b"22", b"23"), *lines[2:]], "line 2 "),
    "the owner changed": (lambda lines: [lines[0].replace(b"tester", b"me"), *lines[1:]], "line 1 "),
    "a field is lost": (lambda lines: [lines[0].replace(b'"owner"', b'"own"'), *lines[1:]], "ce-owner is"),
    "a field more": (lambda lines: [b'{"x":"y",' + lines[0][1:], *lines[1:]], "attribute x is not one"),
    "no data": (
        lambda lines: [lines[0].replace(b'"data"', b'"date"'), *lines[1:]],
        "data_base64' is missing",
    ),
    "no object": (lambda lines: [b"[]\n", *lines[1:]], "line 1 is not as it was written"),
    "no JSON": (lambda lines: [b"\xff\xfe\n", *lines[1:]], "line 1 is not as it was written"),
    "deep": (lambda lines: [b'{"type":' + b"[" * 100_000 + b"\n"], "line 1 is not as it was written"),
    "more behind": (lambda lines: [*lines, lines[0]], "line 5: there is more behind"),
    "another closing": (lambda lines: [*lines[:3], written([])[0]], "line 4 closes an archive of 0 commits"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_each_harm_is_found_by_its_line(harm: str) -> None:
    change, words = HARMS[harm]
    lines = written(chain(b"[1]", b"[22]", b"[3]"))
    with pytest.raises(ArchiveDamaged, match=words):
        read(change(lines))


def test_the_contents_that_a_commit_names_are_found() -> None:
    assert contents_of(commit("evt.notes.Note.a", "a", SCAN)) == ["ab"]
    assert contents_of(commit("evt.notes.Note.a", "a", b"\xff")) == []
    assert contents_of(stranger("evt.notes.Note.a", SCAN, 1, "another program")) == []
    reader = ArchiveReader()
    assert len(list(reader.commits(written(chain(b"[]", SCAN, SCAN))))) == 3
    assert list(reader.contents) == ["ab"]
    assert reader.closing is not None
