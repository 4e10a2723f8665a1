"""Contracts as their annotations say them: what travels, what does not, and what a lie looks like."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import numpy
import pytest

from cim import Blob, Capability, Record, version
from cim.contract.capability import Lied, operation, read_contract
from cim.contract.codec import BadBody
from cim.domain.errors import CimError, Misdeclared
from cim.ports.judging import Embedding, Sentiment
from cim.ports.reading import Ocr, Page, Pdf, Reading, Word


class Line(Record):
    text: str
    price: Decimal | None = None


@version(3)
class Till(Capability, Protocol):
    """Adds up."""

    def total(self, lines: Sequence[Line], scan: Blob | None = None, *, places: int = 2) -> Decimal: ...

    def lines(self, picture: bytes) -> Iterator[Line]: ...

    def _own(self) -> None: ...


class Better(Till, Protocol):
    """Adds up and forgets."""

    def forget(self) -> None: ...


def test_a_contract_says_its_name_version_and_operations() -> None:
    till = read_contract(Till, "here")
    assert (till.name, till.version, list(till.operations)) == ("Till", 3, ["total", "lines"])
    assert till.subject("fast") == "cap.Till.3.fast"
    better = read_contract(Better, "here")
    assert (better.version, list(better.operations)) == (1, ["forget", "total", "lines"])


@pytest.mark.parametrize("contract", [Ocr, Pdf, Embedding, Sentiment])
def test_the_contracts_of_the_machine_travel(contract: type[Any]) -> None:
    assert read_contract(contract, "here").version == 1


def test_arguments_and_answers_come_back_as_they_were() -> None:
    total = read_contract(Till, "here").operations["total"]
    lines = [Line("Bread", Decimal("2.50")), Line("Salt")]
    assert total.given(total.arguments(lines, places=1)) == {"lines": lines, "places": 1}
    assert total.result_of(total.answer(Decimal("2.50"))) == Decimal("2.50")
    each = read_contract(Till, "here").operations["lines"]
    assert each.given(each.arguments(picture=b"\x00\xff")) == {"picture": b"\x00\xff"}
    assert list(each.result_of(each.answer(iter(lines)))) == lines
    read = read_contract(Ocr, "here").operations["read"]
    reading = Reading("a", 0.5, (Word("a", 0.5, 0, 0, 1, 1, 1),))
    assert read.result_of(read.answer(reading)) == reading
    pages = [Page(1, "", b"\x89PNG"), Page(2, "b", None)]
    pdf = read_contract(Pdf, "here").operations["pages"]
    assert list(pdf.result_of(pdf.answer(iter(pages)))) == pages


def test_what_is_called_wrongly_is_a_type_error_as_in_process() -> None:
    total = read_contract(Till, "here").operations["total"]
    with pytest.raises(TypeError, match="missing a required argument: 'lines'"):
        total.arguments()
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        total.arguments([], colour="red")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            b'{"lines": [], "colour": 1}',
            "takes no 'colour': its parameters are lines, scan, places",
        ),
        (b'{"lines": [{"text": 1}]}', r"Till.total: its argument lines: .*\$\[0\]\.text"),
        (b"no", "Till.total: its arguments: "),
    ],
)
def test_arguments_of_another_shape_are_refused_by_name(body: bytes, told: str) -> None:
    with pytest.raises(BadBody, match=told):
        read_contract(Till, "here").operations["total"].given(body)


@pytest.mark.parametrize("body", [b'"2.50.1"', b'{"total": 1}', b"null", b"", b"\xff"])
def test_an_answer_of_another_type_is_a_lie(body: bytes) -> None:
    with pytest.raises(Lied, match=r"it is no Decimal: Till\.total"):
        read_contract(Till, "here").operations["total"].result_of(body)


def test_a_value_that_cannot_be_written_is_told() -> None:
    with pytest.raises(CimError, match=r"Sentiment\.score: its answer cannot be written: .*float32"):
        read_contract(Sentiment, "here").operations["score"].answer(numpy.float32(1))


@dataclass(frozen=True)
class Deep:
    """Holds an array far inside."""

    parts: list[dict[str, numpy.ndarray[Any, Any]]]


class Arrays(Capability, Protocol):
    def turn(self, deep: Deep) -> bool: ...


class Vague(Capability, Protocol):
    def say(self) -> dict[str, Any]: ...


class Starred(Capability, Protocol):
    def say(self, *words: str) -> str: ...


class Bare(Capability, Protocol):
    def say(self, word) -> str: ...  # type: ignore[no-untyped-def]


class Silent(Capability, Protocol):
    def say(self): ...  # type: ignore[no-untyped-def]


@version(0)
class Early(Capability, Protocol):
    def say(self) -> str: ...


@pytest.mark.parametrize(
    ("contract", "told"),
    [
        (Arrays, "here: Arrays.turn: its parameter deep cannot travel .* holds .*ndarray"),
        (Vague, "here: Vague.say: its result cannot travel .* holds Any"),
        (Starred, r"Starred\.say: parameter `words` cannot be given by its name"),
        (Bare, r"Bare\.say: parameter `word` has no annotation"),
        (Silent, r"Silent\.say does not say what it returns"),
        (Early, "Early: its version is 0"),
    ],
)
def test_what_cannot_travel_is_refused_by_name(contract: type[Any], told: str) -> None:
    with pytest.raises(Misdeclared, match=told):
        read_contract(contract, "here")


class Scale(Capability, Protocol):
    def weigh(self) -> float: ...

    def name(self) -> str | None: ...

    def many(self) -> list[float]: ...

    def vector(self) -> "numpy.ndarray[Any, Any]": ...

    def anything(self) -> Any: ...

    def again(self) -> "Scale": ...

    def nothing(self) -> None: ...


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("weigh", [1.0, 1, numpy.float32(1)], ["1", None, [1.0]]),
        ("name", ["a", None], [1, b"a"]),
        ("many", [[1.0]], [(1.0,), 1.0]),
        ("vector", [numpy.zeros(2)], [[0.0]]),
        ("anything", [1, None], []),
        ("again", [object()], []),
        ("nothing", [None], [1]),
    ],
)
def test_a_lie_within_the_process_is_seen_at_a_glance(name: str, good: list[Any], bad: list[Any]) -> None:
    asked = operation(Scale, name)
    for value in good:
        asked.check(value)
    for value in bad:
        with pytest.raises(Lied, match=rf"it is of type {type(value).__name__}, the contract says"):
            asked.check(value)
