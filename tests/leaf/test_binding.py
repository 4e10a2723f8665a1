"""Providers bound to contracts: what does not fit is told by its place in the machine's file."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, cast

import pytest

from cim import Blobs, Capability, Changed, Command, Component, Context, Event, State
from cim.capabilities.terms import Over
from cim.contract.composition import compose
from cim.contract.system import SystemType
from cim.domain.errors import CimError, Failure, Misdeclared
from cim.leaf.binding import RECORD, Binding
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
        ({"Scale": {"unit": "kg"}}, 'says neither `use = .*` nor `over = .*in quotes: "Scale.unit"'),
        ({"Scale": {"over": "air"}}, "there is no over = 'air': write over = \"nats\" with binding, seconds"),
        ({"Scale": {"over": "nats"}}, "missing required field `binding`"),
        ({"Scale": {"over": "nats", "binding": "a b"}}, "binding 'a b' holds a character outside"),
        ({"Scale": {"over": "nats", "binding": "a", "retries": 3}}, "there is no retries: write"),
        ({"Scale": {"over": "nats", "binding": "a", "seconds": 0}}, "seconds is over 0 and 3600 at most"),
        ({"Scale": {"over": "nats", "binding": "a", "at_once": "2"}}, "Expected `int`, got `str`"),
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


shelf = Context("shelf")


@shelf.component(of=Item)
class Size(Component):
    grams: float


@shelf.system
def size(item: Changed[Item], scale: Scale) -> Size:
    """Weigh it for another module."""
    return Size(scale.weigh("it"))


@pytest.fixture
def both() -> tuple[SystemType, SystemType]:
    mine, other = compose([shop, shelf]).systems
    return mine, other


def test_an_entry_for_a_module_beats_the_one_for_all(both: tuple[SystemType, SystemType]) -> None:
    bound = binding(Scale=at("Exact"), **{"shelf.Scale": {"use": at("Exact"), "unit": "t"}})
    mine, other = (bound.needs(system)["scale"] for system in both)
    assert (mine.unit, other.unit) == ("g", "t")
    assert bound.needs(both[1])["scale"] is other
    only = binding(**{"shelf.Scale": at("Exact")})
    assert isinstance(only.needs(both[1])["scale"], Exact)
    with pytest.raises(Misdeclared, match=r"shop\.weigh needs Scale and nothing is bound to it"):
        only.check(both)


def test_what_a_provider_needs_is_that_of_its_own_module(both: tuple[SystemType, SystemType]) -> None:
    class Elm(Oak):
        """Another table."""

    globals()["Elm"] = Elm
    entries = {"shelf.Scale": at("Standing"), "shelf.Table": at("Elm"), "Table": at("Oak")}
    bound = binding(Scale=at("Standing"), **entries)
    mine, other = (bound.needs(system)["scale"] for system in both)
    assert (type(mine.table), type(other.table)) == (Oak, Elm)
    told = {(one.contract, one.module, one.name.rpartition(":")[2]) for one in bound.bound(both)}
    assert told == {
        ("Scale", None, "Standing"),
        ("Scale", "shelf", "Standing"),
        ("Table", None, "Oak"),
        ("Table", "shelf", "test_what_a_provider_needs_is_that_of_its_own_module.<locals>.Elm"),
        ("Blobs", None, "the leaf"),
    }


FAST = {"over": "nats", "binding": "fast", "seconds": 20}


def test_what_is_asked_over_nats_is_known_by_its_subject(both: tuple[SystemType, SystemType]) -> None:
    bound = binding(**{"Scale": FAST, "shelf.Scale": {**FAST, "binding": "fine", "at_once": 2}})
    over = bound.over(both)
    assert {subject: limits for subject, (_, limits) in over.items()} == {
        "cap.Scale.1.fast": Over("fast", 20, 8),
        "cap.Scale.1.fine": Over("fine", 20, 2),
    }
    assert [one.name for one in bound.bound(both)] == ["cap.Scale.1.fast", "the leaf", "cap.Scale.1.fine"]
    twice = binding(**{"Scale": FAST, "shelf.Scale": {**FAST, "at_once": 2}})
    with pytest.raises(Misdeclared, match=r"shelf\.Scale: Scale says other limits of the same binding"):
        twice.over(both)


desk = Context("desk")


@desk.component(of=Item)
class Noise(Component):
    words: str


class Vague(Capability, Protocol):
    """Says anything."""

    def say(self) -> Any: ...


@desk.system
def hear(item: Changed[Item], vague: Vague) -> Noise | None:
    """Listen."""
    return None


class Anything:
    """Says nothing."""

    def say(self) -> None:
        return None


def test_what_cannot_travel_is_refused_over_nats_only() -> None:
    _, system = compose([shop, desk]).systems
    binding(Vague=at("Anything")).check([system])
    told = r"\[providers\] Vague: Vague\.say: its result cannot travel to another process, for it holds Any"
    with pytest.raises(Misdeclared, match=told):
        binding(Vague=FAST).check([system])


def provided(**fast: Any) -> Binding:
    machine = Machine("shop", (), {"Table": at("Oak"), "Scale": FAST}, folder=Path("/machine"))
    return Binding(replace(machine, provided={"fast": fast}), provided="fast")


def test_what_a_binding_provides_stands_under_its_name(system: SystemType) -> None:
    made = provided(Scale={"use": at("Standing"), "unit": "kg"}).provider(Scale, "cim provide")
    assert (type(made.table), made.unit) == (Oak, "kg")
    with pytest.raises(Misdeclared, match="a provider's process asks nobody over NATS: bind Scale under"):
        provided().provider(Scale, "cim provide")
    with pytest.raises(Misdeclared, match="no way to the machine's contents"):
        provided(Scale=at("Keeping")).check_contract(Scale, "cim provide")
    assert binding(Scale=FAST).contract("Scale", [system]) is Scale
    assert binding(Scale=at("Standing"), Table=at("Oak")).contract("Table", [system]) is Table
    with pytest.raises(Misdeclared, match="no system here needs Weigher; they need Blobs, Scale"):
        binding(Scale=FAST).contract("Weigher", [system])


class Keeping:
    """A scale that keeps contents."""

    def __init__(self, blobs: Blobs) -> None:
        self.blobs = blobs

    def weigh(self, thing: str) -> float:
        return 3.0


def test_a_recorded_provider_is_made_for_recording_only(
    system: SystemType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry: dict[str, Any] = {"use": at("Exact"), "recorded": str(tmp_path / "scale.jsonl")}
    before = Exact.made
    with pytest.raises(
        CimError, match=r"has no call of Scale\.weigh .*: record it, by one run with CIM_RECORD=1"
    ):
        binding(Scale=entry).needs(system)["scale"].weigh("a")
    assert Exact.made == before
    with monkeypatch.context() as recording:
        recording.setenv(RECORD, "1")
        assert binding(Scale=entry).needs(system)["scale"].weigh("a") == 1.0
    missing = {**entry, "use": "not_installed:Exact"}
    binding(Scale=missing).check([system])
    assert binding(Scale=missing).needs(system)["scale"].weigh("a") == 1.0
    (told, _) = binding(Scale=missing).bound([system])
    assert (told.name, told.doc) == ("not_installed:Exact", f"replayed from {tmp_path / 'scale.jsonl'}")
