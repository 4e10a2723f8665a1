"""Providers bound to contracts: what does not fit is told by its place in the machine's file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, cast

import pytest

from cim import Blobs, Capability, Changed, Command, Component, Context, Event, State
from cim.contract.composition import compose
from cim.contract.system import SystemType
from cim.domain.errors import Failure, Misdeclared
from cim.leaf.binding import Binding
from cim.leaf.machine import Machine

shop = Context("shop")


class Tell(Command):
    item: str


class Told(Event):
    item: str


@shop.entity(key="item")
class Item(State):
    def decide(self, command: Tell) -> Iterable[Told]:
        return [Told(command.item)]

    def evolve(self, event: Told) -> "Item":
        return self


class Scale(Capability, Protocol):
    """Weighs."""

    def weigh(self, thing: str) -> float: ...


class Table(Capability, Protocol):
    """Stands."""

    def stand(self) -> bool: ...


@shop.component(of=Item)
class Weight(Component):
    grams: float


@shop.system
def weigh(item: Changed[Item], scale: Scale, blobs: Blobs) -> Weight:
    """Weigh it."""
    return Weight(scale.weigh("it"))


class Exact:
    """A scale with an option."""

    made = 0

    def __init__(self, unit: str = "g") -> None:
        type(self).made += 1
        self.unit = unit

    def weigh(self, thing: str) -> float:
        return 1.0


class Standing:
    """A scale that needs another provider."""

    def __init__(self, table: Table, unit: str = "g") -> None:
        self.table, self.unit = table, unit

    def weigh(self, thing: str) -> float:
        return 2.0


class Oak:
    """A table."""

    def stand(self) -> bool:
        return True


class Hanging:
    """A table that hangs on the scale that stands on it."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale

    def stand(self) -> bool:
        return True


class Mute:
    """No scale: it has no weigh."""

    weigh = None


class Broken:
    """A scale that cannot be made."""

    def __init__(self) -> None:
        raise OSError("no weights found")


class Worn:
    """A scale that says itself why it cannot be made."""

    def __init__(self) -> None:
        raise Failure("the spring is worn: get another")


HERE = __name__
BLOBS = cast("Blobs", object())


def binding(**providers: str | dict[str, Any]) -> Binding:
    return Binding(Machine("shop", (), providers, folder=Path("/machine")), BLOBS)


@pytest.fixture
def system() -> SystemType:
    return compose([shop]).systems[0]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """This file, under the name by which a machine's file can name it."""
    import sys

    monkeypatch.setitem(sys.modules, "providers_of_a_test", sys.modules[HERE])


def at(name: str) -> str:
    return f"providers_of_a_test:{name}"


def test_a_system_is_given_what_its_signature_names(system: SystemType) -> None:
    needs = binding(Scale={"use": at("Exact"), "unit": "kg"}).needs(system)
    assert needs.keys() == {"scale", "blobs"}
    assert needs["blobs"] is BLOBS
    assert isinstance(needs["scale"], Exact)
    assert needs["scale"].unit == "kg"


CIRCLE: dict[str, Any] = {"Scale": "Standing", "Table": "Hanging"}


def test_what_is_bound_is_told_and_checked_without_making_it(system: SystemType) -> None:
    before = Exact.made
    assert [one.contract for one in binding(Scale=at("Exact")).bound([system])] == ["Scale", "Blobs"]
    assert Exact.made == before
    bound = binding(Scale={"use": at("Standing"), "unit": "kg"}, Table=at("Oak")).bound([system])
    assert [(one.contract, one.name.rpartition(".")[2], one.doc, one.needs) for one in bound] == [
        ("Scale", f"{HERE.rpartition('.')[2]}:Standing", "A scale that needs another provider.", (Table,)),
        ("Blobs", "the leaf", "", ()),
        ("Table", f"{HERE.rpartition('.')[2]}:Oak", "A table.", ()),
    ]
    with pytest.raises(Misdeclared, match="Scale needs Table and nothing is bound to it"):
        binding(Scale=at("Standing")).bound([system])
    circle = {name: at(kind) for name, kind in CIRCLE.items()}
    with pytest.raises(Misdeclared, match="providers need each other in a circle: Scale → Table → Scale"):
        binding(**circle).check([system])


def test_a_provider_is_made_once_for_all(system: SystemType) -> None:
    bound = binding(Scale=at("Exact"))
    before = Exact.made
    assert bound.needs(system)["scale"] is bound.needs(system)["scale"]
    assert Exact.made == before + 1


def test_a_provider_is_given_the_provider_that_it_needs(system: SystemType) -> None:
    scale = binding(Scale={"use": at("Standing"), "unit": "kg"}, Table=at("Oak")).needs(system)["scale"]
    assert isinstance(scale.table, Oak)
    assert scale.unit == "kg"


@pytest.mark.parametrize(
    ("providers", "told"),
    [
        ({}, r"shop\.weigh needs Scale and nothing is bound to it: add `Scale = "),
        ({"Scale": at("Standing")}, "Scale needs Table and nothing is bound to it"),
        ({"Scale": at("Missing")}, "'providers_of_a_test:Missing' cannot be imported"),
        ({"Scale": "not_installed:Exact"}, "'not_installed:Exact' cannot be imported"),
        ({"Scale": "providers_of_a_test"}, "cannot be imported .* package.module:Class"),
        ({"Scale": ""}, "'' cannot be imported"),
        ({"Scale": {"unit": "kg"}}, "'' cannot be imported"),
        ({"Scale": at("binding")}, "'providers_of_a_test:binding' is no class"),
        ({"Scale": {"use": at("Exact"), "colour": "red"}}, "Exact does not take these options: .*'colour'"),
        ({"Scale": at("Mute")}, "Mute has no weigh, which the contract asks for"),
        ({"Scale": at("Broken")}, "Broken cannot be made: OSError: no weights found"),
        ({"Scale": at("Worn")}, "Worn cannot be made: the spring is worn: get another$"),
        (
            {"Scale": at("Standing"), "Table": at("Hanging")},
            "providers need each other in a circle: Scale → Table → Scale",
        ),
    ],
)
def test_what_does_not_fit_is_told_by_its_place(
    system: SystemType, providers: dict[str, Any], told: str
) -> None:
    with pytest.raises(Misdeclared, match=told) as error:
        binding(**providers).needs(system)
    assert "/machine/machine.toml: [providers] " in str(error.value)
