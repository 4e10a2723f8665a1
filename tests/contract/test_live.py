"""A live query's question: held against the types, and refused by name."""

from typing import Any

import pytest
from tests.world.boxes import Box, Price, boxes

from cim import Component, Context, Where
from cim.contract.composition import compose
from cim.contract.conditions import conditions
from cim.contract.live import live_query, live_question
from cim.domain.errors import CimError

plates = Context("plates")


@plates.component(of=Box)
class Plate(Component):
    """What another module puts on a box, with a field that the box has, too."""

    grams: int
    words: str | None = None


COMPOSITION = compose([boxes, plates])


def query(**asked: Any) -> Any:
    return live_query(live_question({"of": "boxes.Box", **asked}), COMPOSITION)


def where(field: str, operator: str, operand: Any) -> list[dict[str, Any]]:
    return [{"field": field, "operator": operator, "operand": operand}]


def test_what_is_spoken_of_is_shown_unless_something_else_is_asked_for() -> None:
    assert query().shown == ("state",)
    asked: dict[str, Any] = {
        "with": ["Price"],
        "without": ["Label"],
        "where": where("Size.letters", "==", "L"),
    }
    found = query(**asked)
    assert (found.shown, found.without) == (("state", "Price", "Size"), ("Label",))
    assert [need.source for need in found.needs] == ["Price", "Size"]
    assert query(**asked, show=["plates.Plate"]).shown == ("plates.Plate",)


def test_a_field_alone_is_of_what_is_asked_for() -> None:
    assert [need.source for need in query(where=where("grams", ">", 3)).needs] == ["state"]
    found = query(**{"with": ["Price"]}, where=where("cents", ">=", 3))
    assert [(need.source, [str(one) for one in need.conditions]) for need in found.needs] == [
        ("Price", ["cents >= 3"])
    ]
    assert query(where=where("Price.cents", "in", [1, 2])).needs[0].conditions[0].operand == (1, 2)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"of": "boxes.Bax"}, "no module here declares the entity boxes.Bax; there are: boxes.Box"),
        ({"of": 3}, "Expected `str`, got `int` - at `$.of`; a question has: of, with, without, where, show"),
        ({"wiht": []}, "contains unknown field `wiht`"),
        ({"page": 0}, "page is 0: it is 1 to 1,000 entities"),
        ({"with": ["Pries"]}, "no component Pries; there are: Label, Price, Size, plates.Plate"),
        ({"without": ["state"]}, "no component state"),
        ({"show": ["Pries"]}, "no component Pries"),
        ({"with": ["Price"], "without": ["Price"]}, "it asks for Price and for entities without it"),
        (
            {"where": where("Price.cents", ">", 1), "without": ["Price"]},
            "it asks for Price and for entities without it",
        ),
        (
            {"where": where("cents", ">", 1)},
            "neither its state nor what it is asked for `with` has a field 'cents'",
        ),
        (
            {"with": ["plates.Plate"], "where": where("grams", ">", 1)},
            "grams is a field of several: say state.grams or plates.Plate.grams",
        ),
        ({"where": where("grams", "~", 1)}, "Invalid enum value '~' - at `$.where[0].operator`"),
        ({"where": [*where("grams", ">", 3), *where("grams", "<", 2)]}, "no Box has grams > 3 and grams < 2"),
    ],
)
def test_what_cannot_be_is_refused_by_name(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(CimError) as refused:
        query(**asked)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "found", [("cants", ">", 1), ("cents", ">", "many"), ("cents", "in", 3), ("cents", "<", None)]
)
def test_a_filter_is_refused_as_the_one_of_a_system_is(found: tuple[str, Any, Any]) -> None:
    with pytest.raises(CimError) as system:
        conditions([Where(*found)], Price, "live query of boxes.Box")
    with pytest.raises(CimError) as live:
        query(where=where(f"Price.{found[0]}", *found[1:]))
    assert str(live.value) == str(system.value)


def test_a_version_names_the_question_and_the_code_and_not_how_it_is_read() -> None:
    one = query(**{"with": ["Price"]})
    assert one.version == query(**{"with": ["Price"], "page": 3}).version
    assert one.version == query(**{"with": ["Price"], "since": {"sequence": 3, "basis": "b"}}).version
    others = [query(**{"with": ["Size"]}), query(), query(**{"with": ["Price"], "without": ["Size"]})]
    assert len({one.version, *(other.version for other in others)}) == 4


def test_a_version_is_another_one_where_a_component_is_put_right_by_other_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = query(**{"with": ["Price"]}).version

    def correct(self: Price, event: Any) -> Price:
        return self.but(cents=event.cents + 1)

    monkeypatch.setattr(Price, "correct", correct)
    assert query(**{"with": ["Price"]}).version != before
