"""Systems out of their signatures, and each thing that cannot be, by its name."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from cim import (
    Capability,
    Changed,
    Command,
    Component,
    Context,
    Each,
    Event,
    Maybe,
    State,
    With,
    Without,
)
from cim.contract.system import STATE, Read, component_key, read_component, read_system
from cim.domain.errors import Misdeclared

if TYPE_CHECKING:
    from cim import Component as Hidden

letters, parcels = Context("letters"), Context("parcels")
LETTER = ("letters", "Letter")


class Send(Command):
    letter: str


class Sent(Event):
    letter: str


class _Sendable(State):
    def decide(self, command: Send) -> Iterable[Sent]:
        return [Sent(command.letter)]

    def evolve(self, event: Sent) -> "_Sendable":
        return self


@letters.entity(key="letter")
class Letter(_Sendable):
    text: str = ""


@parcels.entity(key="letter")
class Parcel(_Sendable):
    weight: int = 0


@letters.component(of=Letter)
class Words(Component):
    count: int


@letters.component(of=Letter)
class Tone(Component):
    label: str


@parcels.component(of=Letter)
class Postage(Component):
    price: str


@parcels.component(of=Parcel)
class Size(Component):
    litres: int


@letters.component(of=Parcel)
class Stuffing(Component):
    pass


class Nobodys(Component):
    """No context declared it."""


class Loose(State):
    """No context declared it."""


class Scale(Capability, Protocol):
    """What things weigh."""

    def weigh(self, thing: object) -> int: ...


def test_a_signature_says_what_is_read_needed_and_written() -> None:
    def price(
        letter: Changed[Letter],
        words: Maybe[Words],
        tone: Tone,
        size: With[Postage],
        scale: Scale,
    ) -> tuple[Words, Tone | None]:
        return Words(1), None

    system = read_system("letters", price)
    assert str(system) == "letters.price"
    assert system.of == ("letters", "Letter")
    assert system.reads == (
        Read("letter", "changed", STATE, Letter, LETTER),
        Read("words", "maybe", "Words", Words, LETTER),
        Read("tone", "has", "Tone", Tone, LETTER),
        Read("size", "with", "parcels.Postage", Postage, LETTER),
    )
    assert system.needs == {"scale": Scale}
    assert [written.key for written in system.writes] == ["Words", "Tone"]
    assert system.returns == ((Words,), (Tone, type(None)))
    assert system.triggers == {(LETTER, STATE)}


def test_a_component_of_another_module_is_named_by_its_owner() -> None:
    postage = read_component(Postage, "here")
    assert (postage.key, postage.of) == ("parcels.Postage", ("letters", "Letter"))
    assert component_key("letters", "Words", "letters") == "Words"


def test_the_version_follows_the_code() -> None:
    def one(letter: Changed[Letter]) -> Words:
        return Words(1)

    first = read_system("letters", one).version

    def one(letter: Changed[Letter]) -> Words:  # type: ignore[no-redef]
        return Words(2)

    assert read_system("letters", one).version != first
    assert read_system("letters", one).version == read_system("letters", one).version


FEE = 3


def fee(weight: int) -> int:
    return weight * FEE


def priced(parcel: Changed[Parcel], before: Maybe[Size]) -> Size:
    """Uses a function and a value of its package."""
    return Size(fee(parcel.weight))


def weighed(self: Parcel, event: Sent) -> Parcel:
    return self.but(weight=self.weight + 1)


class Refusing(State):
    def decide(self, command: Send) -> Iterable[Sent]:
        return []


def put_right(self: Size, event: Sent) -> Size:
    return self


@pytest.mark.parametrize(
    ("place", "name", "other"),
    [
        (None, "fee", lambda weight: 2 * weight),
        (None, "FEE", 4),
        (Parcel, "evolve", weighed),  # another state of the same history
        (Size, "correct", put_right),  # another value of the same correction
    ],
)
def test_the_version_follows_what_the_code_uses_and_what_makes_its_inputs(
    monkeypatch: pytest.MonkeyPatch, place: Any, name: str, other: Any
) -> None:
    first = read_system("parcels", priced).version
    assert read_system("parcels", priced).version == first
    if place is None:
        monkeypatch.setitem(globals(), name, other)
    else:
        monkeypatch.setattr(place, name, other, raising=False)
    assert read_system("parcels", priced).version != first


def test_what_is_only_decided_is_no_part_of_a_systems_version(monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_system("parcels", priced).version
    monkeypatch.setattr(Parcel, "decide", Refusing.decide)
    assert read_system("parcels", priced).version == first


def test_the_version_follows_the_shapes_of_what_is_read_and_written() -> None:
    versions = []
    for fields in ({"count": int}, {"count": int, "of": str}, {"count": float}):
        room = Context("letters")
        shape: Any = type("Words", (Component,), {"__annotations__": fields, "__module__": __name__})
        counted = room.component(of=Letter)(shape)

        def system(letter):  # type: ignore[no-untyped-def]
            return None

        system.__annotations__ = {"letter": Changed[Letter], "return": counted}
        versions.append(read_system("letters", system).version)
    assert len(set(versions)) == 3


def test_a_system_typed_at_a_prompt_has_a_version_too() -> None:
    room: dict[str, Any] = {"Changed": Changed, "Letter": Letter, "Words": Words}
    exec("def typed(letter: Changed[Letter]) -> Words: return Words(1)", room)
    assert len(read_system("letters", room["typed"]).version) == 12


async def asynchronous(letter: Changed[Letter]) -> Words:
    return Words(1)


def test_one_that_is_async_waits() -> None:
    system = read_system("letters", asynchronous)
    assert system.waits
    assert [read.parameter for read in system.reads] == ["letter"]
    assert not read_system("letters", with_and_without_waiting).waits


def with_and_without_waiting(letter: Changed[Letter]) -> Words:
    return Words(1)


def no_changed(letter: Letter) -> Words:
    return Words(1)


def no_annotation(letter: Changed[Letter], more) -> Words:  # type: ignore[no-untyped-def]
    return Words(1)


def a_number(letter: Changed[Letter], limit: int = 3) -> Words:
    return Words(1)


def an_unmarked_union(letter: Changed[Letter], words: Words | None) -> Tone:
    return Tone("")


def a_union_of_two(letter: Changed[Letter], found: Maybe[Words | Tone]) -> Postage:
    return Postage("")


def two_marks(letter: Changed[Maybe[Letter]]) -> Words:
    return Words(1)


def a_mark_inside(letter: Changed[Letter], words: Maybe[Changed[Words]]) -> Tone:
    return Tone("")


def a_bare_mark(letter: Changed) -> Words:  # type: ignore[type-arg]
    return Words(1)


def a_view_s_mark(letter: Changed[Letter], every: Each[Letter]) -> Words:
    return Words(1)


def a_marked_capability(letter: Changed[Letter], scale: Maybe[Scale]) -> Words:
    return Words(1)


def several_entities(letter: Changed[Letter], parcel: Changed[Parcel]) -> Words:
    return Words(1)


def another_s_entity(parcel: Changed[Parcel]) -> Words:
    return Words(1)


def writes_on_two(letter: Changed[Letter]) -> tuple[Words, Stuffing]:
    return Words(1), Stuffing()


def an_unowned_component(words: Changed[Nobodys]) -> Words:
    return Words(1)


def a_loose_state(letter: Changed[Loose]) -> Words:
    return Words(1)


def writes_nothing(letter: Changed[Letter]) -> None:
    return None


def says_nothing(letter: Changed[Letter]):  # type: ignore[no-untyped-def]
    return None


def writes_text(letter: Changed[Letter]) -> str:
    return ""


def writes_a_list(letter: Changed[Letter]) -> list[Words]:
    return []


def writes_any_number(letter: Changed[Letter]) -> tuple[Words, ...]:
    return ()


def writes_unowned(letter: Changed[Letter]) -> Nobodys:
    return Nobodys()


def writes_another_s(letter: Changed[Letter]) -> Postage:
    return Postage("")


def writes_twice(letter: Changed[Letter]) -> tuple[Words, Words | None]:
    return Words(1), None


def hidden(letter: Changed[Letter], hidden: "Hidden") -> Words:
    return Words(1)


def a_missing_attribute(letter: Changed[Letter], missing: "letters.Nothing") -> Words:  # type: ignore[name-defined]
    return Words(1)


def without_names(letter: Changed[Letter], /) -> Words:
    return Words(1)


def star(*letters: Changed[Letter]) -> Words:
    return Words(1)


def with_and_without(words: Changed[Words], no: Without[Words]) -> Tone:
    return Tone("")


def without_its_state(words: Changed[Words], no: Without[Letter]) -> Tone:
    return Tone("")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (with_and_without, "would never run: it waits for Words and asks for entities without it"),
        (without_its_state, "would never run: an entity is never without its own state"),
        (no_changed, r"would never run: mark what it waits for with Changed\[…\]"),
        (no_annotation, "parameter `more` has no annotation"),
        (a_number, "parameter `limit`: <class 'int'> is no component, no entity and no capability"),
        (an_unmarked_union, r"parameter `words`: .*Words \| None is no component"),
        (a_union_of_two, "parameter `found` reads several types: one a parameter"),
        (two_marks, "parameter `letter` carries two query marks: one a parameter"),
        (a_mark_inside, r"parameter `words`: .*Annotated.* is no component"),
        (a_bare_mark, "parameter `letter`: ~T is no component"),
        (a_view_s_mark, "parameter `every`: 'each' belongs to a view"),
        (a_marked_capability, "parameter `scale`: .*Scale.* is no component"),
        (several_entities, "works on letters.Letter, and no field that it is given leads to parcels.Parcel"),
        (another_s_entity, "works on letters.Letter, and no field that it is given leads to parcels.Parcel"),
        (writes_on_two, r"writes on several entities: \['letters.Letter', 'parcels.Parcel'\]"),
        (
            an_unowned_component,
            r"parameter `words`: Nobodys is owned by no module: give it @context.component",
        ),
        (a_loose_state, "parameter `letter`: Loose is no entity: give it @context.entity"),
        (writes_nothing, "must say what it writes"),
        (says_nothing, "must say what it writes"),
        (writes_text, "returns <class 'str'>, which is no component"),
        (writes_a_list, r"returns list\[.*Words\], which is no component"),
        (writes_any_number, "returns Ellipsis, which is no component"),
        (writes_unowned, "Nobodys is owned by no module"),
        (writes_another_s, "writes Postage, which module parcels owns"),
        (writes_twice, "writes Words twice: once a run"),
        (
            hidden,
            "name 'Hidden' is not defined; an annotation must be importable at run time, not under TYPE_CH",
        ),
        (a_missing_attribute, "no attribute 'Nothing'; an annotation must be importable at run time"),
        (without_names, "parameter `letter` cannot be given by its name: write it without / or"),
        (star, "parameter `letters` cannot be given by its name"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(function: Callable[..., Any], said: str) -> None:
    with pytest.raises(Misdeclared, match=said) as told:
        read_system("letters", function)
    assert function.__name__ in str(told.value)


@pytest.mark.parametrize("name", ["Failed", "state"])
def test_names_that_the_machine_keeps_are_refused(name: str) -> None:
    kind: type[Component] = type(name, (Component,), {})
    letters.component(of=Letter)(kind)
    with pytest.raises(Misdeclared, match=f"letters: the machine keeps the name {name} for itself"):
        read_component(kind, "letters")


def test_a_component_of_what_is_no_entity_is_refused() -> None:
    kind: type[Component] = type("Stray", (Component,), {})
    letters.component(of=Loose)(kind)
    with pytest.raises(Misdeclared, match="letters: Loose is no entity"):
        read_component(kind, "letters")


def test_a_component_that_cannot_be_written_is_refused() -> None:
    kind: type[Component] = type("Odd", (Component,), {"__annotations__": {"inside": object}})
    letters.component(of=Letter)(kind)
    with pytest.raises(Misdeclared, match="letters: Odd cannot be written as JSON"):
        read_component(kind, "letters")


def test_without_is_read_as_a_type() -> None:
    def first(letter: Changed[Letter], none: Without[Postage]) -> Words:
        return Words(1)

    assert read_system("letters", first).reads[1] == Read(
        "none", "without", "parcels.Postage", Postage, LETTER
    )
