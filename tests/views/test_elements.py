"""Elements: what may be written, and that nothing dangerous can be."""

from typing import Any

import pytest

from cim.domain.blob import Blob
from cim.domain.component import Component
from cim.views.elements import (
    Elements,
    Tag,
    blob_url,
    clock,
    day,
    each,
    entity_url,
    excerpt,
    h,
    magnitude,
    percent,
    present,
    when,
)
from cim.views.shapes import Shape
from cim.views.symbols import Row, Symbol, WrongUse, item_of


class Text(Component):
    """What it says."""

    body: str
    confidence: float
    picture: Blob
    date: str | None


text: Any = Symbol("board", Shape(Text), ("Text",))
row: Any = Symbol("board", Shape(Row), ("row",))


def data(value: Any) -> Any:
    return value._data


@pytest.mark.parametrize("name", ["onclick", "style", "srcdoc", "id", "data_at", "formaction", "xmlns"])
def test_attributes_that_are_not_on_the_list_are_refused(name: str) -> None:
    foreign: dict[str, Any] = {name: "alert(1)"}
    with pytest.raises(WrongUse, match="takes no attribute"):
        h.div("text", **foreign)


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://elsewhere.example/", text.body, "#x"])
def test_addresses_come_from_blob_url_and_entity_url_only(address: Any) -> None:
    with pytest.raises(WrongUse, match=r"href takes blob_url\(...\) or entity_url\(...\)"):
        h.a("open", href=address)
    with pytest.raises(WrongUse, match="src takes"):
        h.img(src=address, alt="")


def test_no_element_can_run_or_embed_anything() -> None:
    names = {one.name for one in vars(Elements).values() if isinstance(one, Tag)}
    assert not names & {"script", "style", "iframe", "object", "embed", "link", "base", "form", "svg", "math"}


def test_every_tag_stands_under_its_own_name() -> None:
    tags = {name: one.name for name, one in vars(Elements).items() if isinstance(one, Tag)}
    assert {name: name for name in tags} == tags


def test_addresses_name_a_digest_and_an_entity() -> None:
    assert data(blob_url(text.picture)) == ["call", "blob_url", ["cell", "Text.picture.sha256"]]
    assert data(entity_url(row)) == ["call", "entity_url", ["cell", "row.id"]]


def test_classes_are_constant() -> None:
    with pytest.raises(WrongUse, match="class_ is constant text"):
        h.div(class_=text.body)


def test_a_record_is_no_attribute() -> None:
    with pytest.raises(WrongUse, match="name one of its fields"):
        h.div(data_all=text.picture)


def test_a_picture_says_what_it_shows() -> None:
    with pytest.raises(WrongUse, match="needs alt"):
        h.img(src=blob_url(text.picture))


def test_underscores_become_hyphens_and_none_is_left_away() -> None:
    element = h.span("x", data_kind="a", aria_label="b", title=None, class_="c")
    assert element.attributes == {"class": "c", "data-kind": "a", "aria-label": "b"}


def test_formats_refuse_the_wrong_type_by_name() -> None:
    with pytest.raises(
        TypeError, match=r"view board: Text.body \(str\) is no float, which percent\(...\) takes"
    ):
        percent(text.body)
    with pytest.raises(TypeError, match=r"Text.confidence \(float\) is no str, which excerpt"):
        excerpt(text.confidence, 10)
    with pytest.raises(TypeError, match=r"Text.date \(str or None\) is no str, which day"):
        day(text.date)
    with pytest.raises(TypeError, match=r"is no Blob, which blob_url"):
        blob_url(text.body)
    with pytest.raises(TypeError, match=r"percent\(...\) takes a value of the row, not 0.5"):
        percent(0.5)


def test_an_excerpt_of_a_cell_is_cut_by_the_server_and_one_of_an_item_in_the_browser() -> None:
    assert data(excerpt(text.body, 90)) == ["cell", "Text.body~90"]
    step: Any = item_of(row.trail, 0)
    assert data(excerpt(step.note, 9)) == ["call", "excerpt", ["item", 0, "note"], ["value", 9]]
    with pytest.raises(WrongUse, match="at least 1"):
        excerpt(text.body, 0)


def test_formats_are_data() -> None:
    assert data(percent(text.confidence)) == ["call", "percent", ["cell", "Text.confidence"]]
    assert data(clock(text.body))[:2] == ["call", "clock"]
    assert data(magnitude(text.confidence, 10))[2:] == [["cell", "Text.confidence"], ["value", 10]]
    assert data(present(row.working)) == ["call", "present", ["cell", "row.working"]]


def test_when_and_each_take_values_of_the_row() -> None:
    with pytest.raises(WrongUse, match=r"when\(...\) takes a value of the row, not True"):
        when(True, lambda _: "x")
    with pytest.raises(WrongUse, match=r"each\(...\) takes a value of the row"):
        each([1], lambda _: "x")
