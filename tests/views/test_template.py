"""Compiling a view: HTML with marks, bindings as data, the cells that are sent."""

import json
from typing import Annotated, Any

import pytest

from cim.domain.blob import Blob
from cim.domain.component import Component
from cim.domain.errors import CimError, Misdeclared
from cim.domain.query import Changed, Each, Maybe, One, Where
from cim.domain.state import State
from cim.views.elements import Element, blob_url, each, entity_url, excerpt, h, percent, when
from cim.views.symbols import NoSuchField, Row, WrongUse
from cim.views.template import Cell, View, compile_view


class Paper(State):
    """Something to read."""

    title: str = ""
    scan: Blob | None = None


class Text(Component):
    """What it says."""

    body: str
    confidence: float


def keys(view: View) -> list[str]:
    return [cell.key for cell in view.cells]


def test_a_board_becomes_html_bindings_cells_and_columns() -> None:
    def board(row: Row, paper: Each[Paper], text: Maybe[Text]) -> Element:
        return h.div(
            h.b(h.a(paper.title, href=entity_url(row)), class_="main", column="Title"),
            h.i(when(text, lambda it: percent(it.confidence), "?"), column="Sure"),
            class_="columns",
        )

    view = compile_view(board)
    assert view.html == (
        '<div class="columns"><b class="main" data-column="Title" role="cell"><a data-at="0"><!--1--></a></b>'
        '<i data-column="Sure" role="cell"><!--2--></i></div>'
    )
    sure = ["call", "percent", ["cell", "Text.confidence"]]
    assert list(view.bindings) == [
        {"at": 0, "kind": "attribute", "name": "href", "value": ["call", "entity_url", ["cell", "row.id"]]},
        {"at": 1, "kind": "text", "value": ["cell", "state.title"]},
        {
            "at": 2,
            "kind": "when",
            "value": ["cell", "Text"],
            "then": {"html": "<!--0-->", "bindings": [{"at": 0, "kind": "text", "value": sure}]},
            "otherwise": {"html": "?", "bindings": []},
        },
    ]
    # The id is named by every row, so it is no cell; the shell's counts need the last two.
    assert keys(view) == ["state.title", "Text", "Text.confidence", "row.working", "row.failed"]
    assert view.columns == (("main", "Title"), ("", "Sure"))
    assert (view.name, view.scope, view.entity, view.components) == ("board", "each", Paper, {"Text": Text})
    assert json.loads(json.dumps(view.as_data()))["cells"] == keys(view)


def test_a_detail_sends_what_it_names_only() -> None:
    def detail(paper: One[Paper]) -> Element:
        return h.p(when(paper.scan, lambda scan: h.img(src=blob_url(scan), alt="scan")))

    view = compile_view(detail)
    assert view.scope == "one"
    assert keys(view) == ["state.scan", "state.scan.sha256"]


def test_nested_repetitions_know_their_depth() -> None:
    def detail(row: Row, paper: One[Paper]) -> Element:
        return h.ol(
            each(row.trail, lambda step: h.li(step.name, each(row.failed, lambda it: (it.cause, step.note))))
        )

    binding: Any = compile_view(detail).bindings[0]
    inner = binding["item"]["bindings"]
    assert inner[0]["value"] == ["item", 0, "name"]
    assert [one["value"] for one in inner[1]["item"]["bindings"]] == [
        ["item", 1, "cause"],
        ["item", 0, "note"],
    ]
    assert keys(compile_view(detail)) == ["row.trail", "row.failed"]


def test_a_condition_on_an_item_keeps_its_place() -> None:
    def detail(row: Row, paper: One[Paper]) -> Element:
        return h.ol(each(row.trail, lambda step: when(step.took, lambda took: h.li(took))))

    binding: Any = compile_view(detail).bindings[0]
    condition = binding["item"]["bindings"][0]
    assert condition["value"] == ["item", 0, "took"]
    assert condition["then"]["bindings"][0]["value"] == ["item", 0, "took"]


def test_text_and_constant_attributes_are_escaped() -> None:
    def board(paper: Each[Paper]) -> Element:
        return h.div("<script>", h.b("a & b"), title='"><img onerror=x>', hidden=True, tabindex=0)

    assert compile_view(board).html == (
        '<div title="&quot;&gt;&lt;img onerror=x&gt;" hidden tabindex="0">'
        "&lt;script&gt;<b>a &amp; b</b></div>"
    )


def test_a_field_that_is_not_there_is_found_when_the_view_is_compiled() -> None:
    def board(paper: Each[Paper], text: Maybe[Text]) -> Element:
        return h.div(when(text, lambda it: it.confidense))  # type: ignore[attr-defined]

    with pytest.raises(
        NoSuchField, match=r"view board: Text \(Text\) has no field 'confidense'; it has body"
    ):
        compile_view(board)


def test_records_truth_values_and_strangers_are_no_text() -> None:
    def record(paper: One[Paper]) -> Element:
        return h.div(when(paper.scan, lambda scan: scan))  # type: ignore[arg-type, return-value]

    def truth(paper: One[Paper]) -> Element:
        return h.div(paper.title == "a")

    def stranger(paper: One[Paper]) -> Element:
        return h.div(object())  # type: ignore[arg-type]

    for view, words in ((record, "is no text"), (truth, "is no text"), (stranger, "cannot stand")):
        with pytest.raises(WrongUse, match=words):
            compile_view(view)


def test_a_void_element_holds_nothing() -> None:
    def board(paper: Each[Paper]) -> Element:
        return h.div(h.br("x"))

    with pytest.raises(WrongUse, match=r"h\.br holds nothing"):
        compile_view(board)


def test_parameters_say_what_is_looked_at() -> None:
    def changed(paper: Changed[Paper]) -> Element:
        return h.div()

    def none(row: Row) -> Element:
        return h.div()

    def two(paper: Each[Paper], other: One[Paper]) -> Element:
        return h.div()

    def swapped(paper: Maybe[Paper]) -> Element:
        return h.div()

    def bare(paper: Each[Paper], text: Text) -> Element:
        return h.div()

    known = "must be Row, Each"
    cases = ((changed, known), (none, "names 0"), (two, "names 2"), (swapped, known), (bare, known))
    for view, words in cases:
        with pytest.raises(Misdeclared, match=words):
            compile_view(view)


def test_a_filter_in_a_view_is_refused_by_name() -> None:
    def hot(paper: Each[Paper], text: Annotated[Maybe[Text], Where("confidence", ">", 0.5)]) -> Element:
        return h.div()

    with pytest.raises(WrongUse, match="view hot: parameter text has a Where"):
        compile_view(hot)


def test_a_view_returns_one_element() -> None:
    def board(paper: Each[Paper]) -> Element:
        return "text"  # type: ignore[return-value]

    with pytest.raises(CimError, match="view board must return one element, not str"):
        compile_view(board)


def test_names_of_components_can_be_given() -> None:
    def board(paper: Each[Paper], text: Maybe[Text]) -> Element:
        return h.div(when(text, lambda it: excerpt(it.body, 9)))

    view = compile_view(board, {Text: "reading.Text"})
    assert keys(view)[:2] == ["reading.Text", "reading.Text.body~9"]
    assert view.components == {"reading.Text": Text}


class TestCell:
    """The cell and its key."""

    @pytest.mark.parametrize("key", ["row.trail", "Text", "Text.body~90", "Preview.picture.sha256"])
    def test_a_key_names_its_cell(self, key: str) -> None:
        assert Cell.of(key).key == key

    def test_a_text_is_cut_to_the_limit_with_an_ellipsis(self) -> None:
        assert Cell("Text.body", 9).cut("a long text") == "a long t…"
        assert Cell("Text.body", 7).cut("a long text") == "a long…"
        assert Cell("Text.body", 11).cut("a long text") == "a long text"
        assert Cell("Text.body").cut("a long text") == "a long text"
