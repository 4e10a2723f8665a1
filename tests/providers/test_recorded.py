"""Recorded calls: asked once, then answered from a file that a person can read."""

import hashlib
import json
import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from cim import Capability, CimError, Failure, Record, version
from cim.contract.capability import Lied
from cim.domain.errors import Misdeclared
from cim.providers.recorded import Recorded, Unrecorded


class Line(Record):
    text: str


class Reader(Capability, Protocol):
    def read(self, picture: bytes, language: str = "eng") -> list[Line]: ...

    def each(self, count: int) -> Iterator[Line]: ...


class Real:
    """Counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def read(self, picture: bytes, language: str = "eng") -> list[Line]:
        self.calls += 1
        if picture == b"blank":
            raise Failure("the paper is blank")
        if picture == b"broken":
            raise OSError("the disk is full")
        return [Line(f"{len(picture)} {language}")]

    def each(self, count: int) -> Iterator[Line]:
        for number in range(count):
            yield Line(str(number))


def test_what_was_recorded_is_replayed_with_no_call_out(tmp_path: Path) -> None:
    file, real = tmp_path / "calls" / "reader.jsonl", Real()
    recording = Recorded(Reader, file, real)
    picture = b"x" * 1000
    assert recording.read(picture) == [Line("1000 eng")]
    assert recording.read(b"a", language="deu") == [Line("1 deu")]
    assert list(recording.each(2)) == [Line("0"), Line("1")]
    with pytest.raises(Failure, match="the paper is blank"):
        recording.read(b"blank")
    with pytest.raises(OSError, match="full"):
        recording.read(b"broken")

    replayed = Recorded(Reader, file)
    assert replayed.read(picture) == [Line("1000 eng")]
    assert replayed.read(b"a", "deu") == [Line("1 deu")], "however an argument is given"
    assert list(replayed.each(count=2)) == [Line("0"), Line("1")]
    with pytest.raises(Failure, match="the paper is blank"):
        replayed.read(b"blank")
    assert real.calls == 4
    with pytest.raises(
        Unrecorded, match=r"no call of Reader\.read .*record it, by one run with CIM_RECORD=1"
    ):
        replayed.read(b"broken")
    with pytest.raises(Unrecorded):
        replayed.read(b"a", "fra")
    with pytest.raises(AttributeError):
        replayed.write(b"a")


def test_the_file_is_sorted_and_short_whatever_the_order_of_the_calls(tmp_path: Path) -> None:
    one, other = Recorded(Reader, tmp_path / "one", Real()), Recorded(Reader, tmp_path / "other", Real())
    pictures = [b"c", b"a" * 500, b"b"]
    for first, second in zip(pictures, reversed(pictures), strict=True):
        one.read(first)
        other.read(second)
        other.read(second)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    calls = [json.loads(line) for line in (tmp_path / "one").read_text().splitlines()]
    assert [call["answer"] for call in calls] == [[{"text": f"{n} eng"}] for n in (1, 1, 500)]
    assert calls[0] == {
        "answer": [{"text": "1 eng"}],
        "arguments": {"picture": "Yg=="},
        "contract": "Reader.read",
        "version": 1,
    }
    assert len(calls[2]["arguments"]["picture"]["sha256"]) == hashlib.sha256().digest_size * 2


def test_a_call_of_another_version_is_another_call(tmp_path: Path) -> None:
    Recorded(Reader, tmp_path / "calls", Real()).read(b"a")

    @version(2)
    class Reader2(Capability, Protocol):
        def read(self, picture: bytes, language: str = "eng") -> list[Line]: ...

    Reader2.__name__ = "Reader"
    with pytest.raises(Unrecorded):
        Recorded(Reader2, tmp_path / "calls").read(b"a")


def test_an_answer_that_the_contract_no_longer_says_is_named(tmp_path: Path) -> None:
    Recorded(Reader, tmp_path / "calls", Real()).read(b"a")
    text = (tmp_path / "calls").read_text()
    (tmp_path / "calls").write_text(text.replace('"text"', '"words"'))
    with pytest.raises(Lied, match=r"calls: what was recorded of Reader\.read: it is no .*; record it anew"):
        Recorded(Reader, tmp_path / "calls").read(b"a")


@pytest.mark.parametrize("line", ["no json", "[]", '{"arguments": {}}', '{"arguments": [], "contract": "a"}'])
def test_a_damaged_file_is_told_by_its_line(tmp_path: Path, line: str) -> None:
    Recorded(Reader, tmp_path / "calls", Real()).read(b"a")
    with (tmp_path / "calls").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(CimError, match="calls line 2 is no recorded call"):
        Recorded(Reader, tmp_path / "calls")


def test_a_contract_that_does_not_travel_cannot_be_recorded(tmp_path: Path) -> None:
    class Odd(Capability, Protocol):
        def say(self) -> object: ...

    with pytest.raises(Misdeclared, match=r"Odd\.say: its result cannot travel"):
        Recorded(Odd, tmp_path / "calls")


def _record(file: Path, first: int) -> None:
    recording = Recorded(Reader, file, Real())
    for number in range(first, first + 20):
        list(recording.each(number))


def test_processes_that_record_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=_record, args=(tmp_path / "calls", first)) for first in (0, 20)]
    for one in both:
        one.start()
    for one in both:
        one.join(60)
    assert [one.exitcode for one in both] == [0, 0]
    replayed = Recorded(Reader, tmp_path / "calls")
    assert [len(list(replayed.each(number))) for number in range(40)] == list(range(40))
