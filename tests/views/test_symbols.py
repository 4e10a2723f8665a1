"""Symbols stand for values that only the browser knows: what they allow and what they refuse."""

from collections.abc import Callable
from typing import Any

import pytest

from cim.domain.blob import Blob
from cim.domain.component import Component
from cim.domain.errors import CimError
from cim.views.shapes import Shape
from cim.views.symbols import NoSuchField, Symbol, WrongUse, item_of, narrowed


class Scan(Component):
    """A component with a record inside."""

    picture: Blob
    note: str | None
    sizes: tuple[int, ...]
    sharp: bool
    score: float


@pytest.fixture
def scan() -> Any:
    """The symbol of a component that is there."""
    return Symbol("board", Shape(Scan), ("Scan",))


def test_a_field_of_a_field_has_a_path(scan: Any) -> None:
    assert scan.picture.sha256._data == ["cell", "Scan.picture.sha256"]


def test_a_wrong_field_is_an_attribute_error_that_names_view_and_fields(scan: Any) -> None:
    with pytest.raises(AttributeError, match=r"^view board: Scan \(Scan\) has no field 'pictur'; ") as caught:
        _ = scan.pictur
    assert "it has picture, note, sizes, sharp, score" in str(caught.value)
    assert isinstance(caught.value, NoSuchField | CimError)


def test_a_field_of_a_plain_value_is_refused(scan: Any) -> None:
    with pytest.raises(NoSuchField, match=r"Scan.score \(float\) has no field 'real'; it has no fields"):
        _ = scan.score.real


def test_what_may_be_none_is_read_inside_when_only() -> None:
    maybe: Any = Symbol("board", Shape(Scan, optional=True), ("Scan",))
    with pytest.raises(NoSuchField, match=r"may be None: read \.score inside when"):
        _ = maybe.score
    there: Any = narrowed(maybe)
    assert there.score._data == ["cell", "Scan.score"]


USES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "if": (lambda scan: "a" if scan.sharp else "b", "use when"),
    "and": (lambda scan: scan.sharp and scan.score, "use when"),
    "f-string": (lambda scan: f"{scan.score}", "as a child of its own"),
    "str": (lambda scan: str(scan.score), "as a child of its own"),
    "loop": (lambda scan: list(scan.sizes), "use each"),
    "len": (lambda scan: len(scan.sizes), "has no length"),
    "order of text and number": (lambda scan: scan.score < "a", "compare numbers with numbers"),
    "order of what may be none": (lambda scan: scan.note < "a", "cannot be ordered"),
}


@pytest.mark.parametrize("use", USES)
def test_uses_that_would_need_the_value_now_are_refused_with_the_way_out(use: str, scan: Any) -> None:
    action, way_out = USES[use]
    with pytest.raises(TypeError, match=way_out) as caught:
        action(scan)
    assert "view board: Scan." in str(caught.value)


def test_comparisons_become_data(scan: Any) -> None:
    assert (scan.score < 0.5)._data == ["call", "less", ["cell", "Scan.score"], ["value", 0.5]]
    assert (scan.note == "a")._data == ["call", "equal", ["cell", "Scan.note"], ["value", "a"]]
    assert (scan.score >= 0.5)._data[:2] == ["call", "at_least"]


def test_a_symbol_is_not_compared_with_anything_but_plain_values(scan: Any) -> None:
    with pytest.raises(WrongUse, match="cannot stand in a view"):
        _ = scan.note == object()


def test_an_item_has_its_depth_and_its_fields(scan: Any) -> None:
    rows: Any = Symbol("board", Shape(tuple, item=Scan), ("row", "scans"))
    item: Any = item_of(rows, 1)
    assert item.picture.sha256._data == ["item", 1, "picture", "sha256"]
    with pytest.raises(WrongUse, match="is not a sequence"):
        item_of(scan.score, 0)


def test_a_symbol_cannot_be_a_key(scan: Any) -> None:
    with pytest.raises(TypeError, match="unhashable"):
        _ = {scan.score: 1}
