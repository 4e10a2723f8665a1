"""Fingerprints: of what is written, not of what is said about it."""

from typing import Any

import pytest

from cim import Blob, Component, Event
from cim.contract.schema import check_shape, dataschema, fingerprint
from cim.domain.errors import Misdeclared


def record(name: str = "Received", doc: str = "It came.", **fields: Any) -> type[Event]:
    defaults = {key: value[1] for key, value in fields.items() if isinstance(value, tuple)}
    kinds = {key: value[0] if isinstance(value, tuple) else value for key, value in fields.items()}
    return type(name, (Event,), {"__doc__": doc, "__annotations__": kinds, **defaults})


def one(kind: type[Any]) -> str:
    return fingerprint(frozenset({kind}))


SHAPE = record(document=str, scan=Blob)


def test_the_same_fields_have_the_same_fingerprint() -> None:
    assert one(record(document=str, scan=Blob)) == one(SHAPE)
    assert len(one(SHAPE)) == 16


def test_a_better_docstring_is_no_other_shape() -> None:
    assert one(record(doc="It was handed in.", document=str, scan=Blob)) == one(SHAPE)


@pytest.mark.parametrize(
    "other",
    [
        record(document=str),
        record(document=str, scan=Blob, title=str),
        record(document=str, picture=Blob),
        record(document=int, scan=Blob),
        record(document=str, scan=Blob | None),
        record(document=str, scan=(Blob, Blob("", 0, ""))),
        record("Arrived", document=str, scan=Blob),
    ],
    ids=["left out", "added", "renamed", "retyped", "optional", "default", "another name"],
)
def test_another_shape_has_another_fingerprint(other: type[Event]) -> None:
    assert one(other) != one(SHAPE)


def test_a_field_named_description_counts_as_a_field() -> None:
    assert one(record(description=str)) != one(record())
    assert one(record(description=str)) != one(record(description=int))


def test_a_change_deep_inside_counts_and_its_prose_does_not() -> None:
    def holding(doc: str, **fields: Any) -> str:
        return one(record(page=type("Page", (Component,), {"__doc__": doc, "__annotations__": fields})))

    assert holding("A page.", text=str) == holding("One side of a sheet.", text=str)
    assert holding("A page.", text=str) != holding("A page.", text=int)


def test_the_order_of_a_body_s_types_does_not_matter() -> None:
    a, b = record("A", x=int), record("B", y=int)
    assert dataschema([a, b]) == dataschema([b, a])
    assert dataschema([a]) != dataschema([a, b])
    assert dataschema([]).startswith("cim:")


@pytest.mark.parametrize(
    "kind", [record(x=object), record(x=complex), record(x=Blob | SHAPE), record(x="Nowhere")]
)
def test_a_type_that_cannot_be_written_is_told(kind: type[Any]) -> None:
    with pytest.raises(Misdeclared, match="shop: Received cannot be written as JSON: "):
        check_shape(kind, "shop")
