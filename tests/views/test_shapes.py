"""What annotations mean to a view."""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType

import pytest

from cim.domain.blob import Blob
from cim.views.shapes import shape_of

Name = NewType("Name", str)


@pytest.mark.parametrize(
    ("annotation", "name", "number", "text"),
    [
        (str, "str", False, True),
        (str | None, "str or None", False, True),
        (int, "int", True, False),
        (bool, "bool", False, False),
        (Decimal, "Decimal", False, True),
        (datetime.datetime, "datetime", False, True),
        (Literal["a", "b"], "str", False, True),
        (Name, "str", False, True),
        (Annotated[float, "a mark"], "float", True, False),
        (tuple[str, ...], "sequence", False, False),
        (Sequence[int] | None, "sequence or None", False, False),
        (Blob, "Blob", False, False),
    ],
)
def test_shapes_in_words(annotation: Any, name: str, number: bool, text: bool) -> None:
    shape = shape_of(annotation)
    assert (shape.name, shape.number, shape.text) == (name, number, text)


def test_a_union_of_two_types_is_neither() -> None:
    shape = shape_of(str | int | None)
    assert (shape.optional, shape.text, shape.number) == (True, False, False)


def test_a_record_has_fields_and_a_sequence_has_none() -> None:
    assert list(shape_of(Blob).fields()) == ["sha256", "size", "media"]
    assert shape_of(tuple[Blob, ...]).fields() == {}


def test_texts_compare_with_texts_and_numbers_with_numbers() -> None:
    assert shape_of(int).comparable(shape_of(float))
    assert shape_of(str).comparable(shape_of(Decimal))
    assert not shape_of(str).comparable(shape_of(int))
    assert not shape_of(bool).comparable(shape_of(int))
