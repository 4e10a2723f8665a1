"""Records: what a module's types are made of."""

import copy
import pickle
from dataclasses import FrozenInstanceError
from typing import Self

import pytest

from cim import Blob, Command, Component, Event, Failed, State
from cim.domain.record import Record


class Reading(Component):
    body: str
    confidence: float = 1.0


class Longer(Reading):
    pages: int = 1


@pytest.mark.parametrize("base", [Command, Event, State, Component, Record])
def test_annotating_the_fields_is_enough(base: type[Record]) -> None:
    made: type[Record] = type("Made", (base,), {"__annotations__": {"one": int, "two": str}, "two": "b"})
    assert made(1) == made(1, "b")  # type: ignore[call-arg]
    assert made(1) != made(2)  # type: ignore[call-arg]
    assert hash(made(1)) == hash(made(1))  # type: ignore[call-arg]
    assert repr(made(1)) == "Made(one=1, two='b')"  # type: ignore[call-arg]


def test_a_record_cannot_be_changed() -> None:
    reading = Reading("words")
    with pytest.raises(FrozenInstanceError):
        reading.body = "others"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        reading.extra = 1  # type: ignore[attr-defined]


def test_a_record_of_another_type_is_never_equal() -> None:
    class Spoken(Component):
        body: str
        confidence: float = 1.0

    spoken: Component = Spoken("words")
    assert spoken != Reading("words")


def test_a_subclass_adds_fields_and_reaches_its_base() -> None:
    class Titled(Longer):
        def but(self, **changes: object) -> Self:
            return super().but(**{"pages": 9, **changes})

    assert Longer("words", 0.5, 3) == Longer(body="words", confidence=0.5, pages=3)
    assert Titled("words").but(confidence=0.5) == Titled("words", 0.5, 9)


def test_but_changes_some_fields_and_refuses_unknown_ones() -> None:
    assert Reading("words").but(confidence=0.5) == Reading("words", 0.5)
    with pytest.raises(TypeError, match="sureness"):
        Reading("words").but(sureness=0.5)


def test_but_keeps_the_subclass() -> None:
    assert type(Longer("words").but(pages=2)) is Longer


def test_a_record_survives_pickling_and_copying() -> None:
    blob = Blob("ab", 2, "text/plain")
    assert pickle.loads(pickle.dumps(blob)) == copy.deepcopy(blob) == blob


def test_records_are_matched_by_place() -> None:
    match Failed("documents.read", "no text"):
        case Failed(system, cause):
            assert (system, cause) == ("documents.read", "no text")
        case _:
            pytest.fail("not matched")
