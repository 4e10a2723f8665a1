"""Forms: lines derived from a command's type, and what cannot be one refused by name."""

from collections.abc import Iterable
from typing import Any

import pytest

from cim import Blob, Command, Component, Context, Event, Maybe, One, State
from cim.testing import people
from cim.views import Element, Row, form, h, maybe, when
from cim.views.forms import words_of
from cim.views.symbols import WrongUse
from cim.views.template import View, compile_view

shop = Context("shop")


class Order(Command):
    order: str
    customer_name: str
    pieces: int = 1
    price: float | None = None


class Scan(Command):
    order: str
    picture: Blob


class Elsewhere(Command):
    order: str


class Ordered(Event):
    order: str


@shop.entity(key="order")
class Sale(State):
    customer: str = ""

    def decide(self, command: Order | Scan) -> Iterable[Ordered]:
        return []

    def evolve(self, event: Ordered) -> "Sale":
        return self


class Size(Component):
    width: float
    of: str | None


def compiled(command: type[Command], **values: Any) -> View:
    def detail(row: Row, sale: One[Sale], size: Maybe[Size]) -> Element:
        given = {
            name: maybe(size, lambda it: it.of) if value is Size else value for name, value in values.items()
        }
        return h.div(form(command, row, **given))

    return compile_view(detail)


def test_a_command_becomes_a_line_for_each_field_but_its_key() -> None:
    view = compiled(Order, customer_name=Size, pieces=3)
    assert 'data-command="shop.Order" data-key="order"' in view.html
    assert '<label>Customer name<input name="customer_name" type="text" required data-at=' in view.html
    assert '<input name="pieces" type="number" step="1" data-may-stay value="3">' in view.html
    assert '<input name="price" type="number" step="any" data-may-stay>' in view.html
    assert 'name="order"' not in view.html
    bound = {binding["name"]: binding["value"] for binding in view.bindings}
    assert bound == {"data-id": ["cell", "row.id"], "value": ["cell", "Size.of"]}
    assert view.commands == ("shop.Order",)


def test_the_command_of_a_form_that_comes_and_goes_is_known_of_the_view() -> None:
    def detail(row: Row, sale: One[Sale], size: Maybe[Size]) -> Element:
        return h.div(when(size, lambda it: form(Order, row)))

    assert compile_view(detail).commands == ("shop.Order",)


@pytest.mark.parametrize(
    ("command", "values", "said"),
    [
        (Elsewhere, {}, r"shop\.Sale takes no command Elsewhere; it takes Order, Scan"),
        (Scan, {}, r"Scan\.picture is no text and no number"),
        (Order, {"colour": "red"}, r"Order has no field 'colour'; it has customer_name, pieces, price"),
        (Order, {"order": "x"}, r"Order has no field 'order'"),
    ],
)
def test_what_cannot_be_a_form_is_refused_by_name(
    command: type[Command], values: dict[str, Any], said: str
) -> None:
    with pytest.raises(WrongUse, match=said):
        compiled(command, **values)


def test_an_area_is_made_of_four_numbers_and_nothing_else_is_one() -> None:
    def detail(sale: One[Sale], size: Maybe[Size]) -> Element:
        wide: Any = maybe(size, lambda it: it.width)
        return h.div(h.span(area=wide))

    with pytest.raises(WrongUse, match=r"area takes area\(\.\.\.\)"):
        compile_view(detail)
    with pytest.raises(WrongUse, match=r"area takes area\(\.\.\.\)"):
        h.span(area="1,2,3,4")


def test_a_name_of_the_code_begins_a_line_as_words() -> None:
    assert [words_of(name) for name in ("date", "due_date", "PutRight")] == ["Date", "Due date", "Put right"]


def test_personal_fields_are_lines_as_others() -> None:
    def detail(row: Row, order: One[people.Order]) -> Element:
        return h.div(form(people.Place, row, address=order.address))

    view = compile_view(detail)
    assert '<input name="customer" type="text" required' in view.html
    assert '<input name="address" type="text" required data-at=' in view.html
