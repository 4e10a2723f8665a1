"""Modules put together: found by name, and refused as a whole before anything starts."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Annotated

import pytest

from cim import Changed, Command, Component, Context, Event, Maybe, State
from cim.contract.composition import Unknown, compose
from cim.contract.subjects import BadToken
from cim.contract.system import SystemType
from cim.domain.errors import Misdeclared
from cim.domain.query import Mark


class Send(Command):
    letter: str


class Sent(Event):
    letter: str


def entity(context: Context, name: str) -> type[State]:
    def decide(self: State, command: Send) -> Iterable[Sent]:
        return [Sent(command.letter)]

    def evolve(self: State, event: Sent) -> State:
        return self

    return context.entity(key="letter")(type(name, (State,), {"decide": decide, "evolve": evolve}))


letters = Context("letters")
Letter = entity(letters, "Letter")


@letters.component(of=Letter)
class Words(Component):
    count: int


@letters.component(of=Letter)
class Tone(Component):
    label: str


@letters.component(of=Letter)
class Price(Component):
    amount: str


def alone(*systems: object) -> Context:
    """The module of letters with these systems."""
    context = Context("letters")
    context.entities, context.components = letters.entities, letters.components
    for system in systems:
        context.system(system)  # type: ignore[type-var]
    return context


def words(text: Changed[Tone]) -> Words:
    return Words(1)


def tone(words: Changed[Words]) -> Tone:
    return Tone("")


def price(tone: Changed[Tone]) -> Price:
    return Price("")


def closing(price: Changed[Price]) -> Words:
    return Words(2)


def looking(price: Changed[Price], tone: Maybe[Tone]) -> Words:
    return Words(2)


def itself(words: Changed[Words]) -> Words:
    return words


def test_everything_is_found_by_its_name() -> None:
    composition = compose([alone(tone, price)])
    assert composition.entity("letters", "Letter").state is Letter
    assert composition.command("letters", "Send").name == "Letter"
    assert [kind.key for kind in composition.components] == ["Words", "Tone", "Price"]
    assert list(map(str, composition.systems)) == ["letters.tone", "letters.price"]


def test_a_name_that_nobody_declares_is_answered_with_those_there_are() -> None:
    composition = compose([alone()])
    with pytest.raises(Unknown, match=r"declares the entity letters\.Leter; there are: letters\.Letter$"):
        composition.entity("letters", "Leter")
    with pytest.raises(Unknown, match=r"declares the command post\.Send; there are: letters\.Send$"):
        composition.command("post", "Send")
    with pytest.raises(Unknown, match="there are: none"):
        compose([]).entity("letters", "Letter")


def test_a_circle_is_told_with_its_whole_way() -> None:
    with pytest.raises(
        Misdeclared, match=r"in a circle: letters\.tone → letters\.price → letters\.closing → lett"
    ):
        compose([alone(tone, price, closing)])
    with pytest.raises(Misdeclared, match=r"in a circle: letters\.itself → letters\.itself$"):
        compose([alone(itself)])


def test_a_look_that_does_not_wake_makes_no_circle() -> None:
    def quiet(tone: Changed[Tone], price: Maybe[Price], words: Maybe[Words]) -> Price:
        return Price("")

    assert len(compose([alone(tone, quiet)]).systems) == 2


def test_a_circle_through_two_modules_is_found() -> None:
    late = Context("late")

    @late.component(of=Letter)
    class Summary(Component):
        text: str

    @late.system
    def summary(tone: Changed[Tone]) -> Summary:
        return Summary("")

    def back(summary: Changed[Summary]) -> Tone:
        return Tone("")

    with pytest.raises(Misdeclared, match=r"circle: letters\.back → late\.summary → letters\.back"):
        compose([alone(back), late])


def reading(name: str, writes: type[Component], reads: list[type[Component]]) -> Callable[..., object]:
    """A system of that name that waits for two components at most."""

    def one(first: object) -> object:
        return None

    def two(first: object, second: object) -> object:
        return None

    system = two if len(reads) == 2 else one
    marks = [Annotated[kind, Mark("changed")] for kind in reads]
    system.__name__ = name
    system.__annotations__ = {**dict(zip(("first", "second"), marks, strict=False)), "return": writes}
    return system


def test_components_of_one_name_on_two_entities_are_two() -> None:
    post = Context("post")
    card = entity(post, "Card")
    late = Context("late")

    def component(name: str, of: type[State]) -> type[Component]:
        return late.component(of=of)(type(name, (Component,), {}))

    late.system(reading("of_letter", component("Tone", Letter), [component("Words", Letter)]))
    late.system(reading("of_card", component("Words", card), [component("Tone", card)]))
    assert len(compose([late]).systems) == 2


def test_many_ways_through_the_same_systems_are_walked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context("letters")
    context.entities = letters.entities
    steps: list[list[type[Component]]] = []
    for step in range(16):
        pair = [type(f"{side}{step}", (Component,), {}) for side in "AB"]
        steps.append([context.component(of=Letter)(kind) for kind in pair])
    for before, after in pairwise(steps):
        for kind in after:
            context.system(reading(f"make_{kind.__name__}", kind, before))
    looked = 0

    def name(system: SystemType) -> str:
        nonlocal looked
        looked += 1
        return system.name

    monkeypatch.setattr(SystemType, "__str__", name)
    assert len(compose([context]).systems) == 30
    # There are 2 to the power of 15 ways through them.
    assert looked < 2000


def test_two_writers_of_a_component_are_named() -> None:
    with pytest.raises(
        Misdeclared, match=r"Words is written by two systems, letters\.words and letters\.looking"
    ):
        compose([alone(words, looking)])


def test_a_context_has_one_module() -> None:
    with pytest.raises(Misdeclared, match="two modules speak for the context letters: it has one owner"):
        compose([alone(), alone()])


def test_two_systems_of_one_name_are_refused() -> None:
    def tone(price: Changed[Price]) -> Words:
        return Words(1)

    with pytest.raises(Misdeclared, match=r"two systems are named letters\.tone: rename one"):
        compose([alone(globals()["tone"], tone)])


def test_two_entities_or_components_of_one_name_are_refused() -> None:
    post = Context("post")
    entity(post, "Card")
    entity(post, "Card")
    with pytest.raises(Misdeclared, match=r"two entities are named post\.Card: rename one"):
        compose([post])
    late = Context("late")
    for _ in range(2):
        late.component(of=Letter)(type("Summary", (Component,), {}))
    with pytest.raises(Misdeclared, match=r"two components are named late\.Summary of Letter: rename one"):
        compose([alone(), late])


def test_a_command_goes_to_one_entity() -> None:
    post = Context("post")
    entity(post, "Card")
    entity(post, "Parcel")
    with pytest.raises(Misdeclared, match=r"two entities or rules take the command post\.Send"):
        compose([post])


def test_a_context_of_components_alone_has_its_name_checked_too() -> None:
    with pytest.raises(BadToken, match=r"context 'late\.one' holds a character outside"):
        compose([Context("late.one")])


def test_a_state_is_read_only_where_its_module_is() -> None:
    late = Context("late")

    @late.component(of=Letter)
    class Summary(Component):
        text: str

    @late.system
    def of_state(letter: Changed[Letter]) -> Summary:  # type: ignore[valid-type]
        return Summary("")

    assert len(compose([alone(), late]).systems) == 1
    with pytest.raises(
        Misdeclared, match=r"late\.of_state reads letters\.Letter, and the module letters is not"
    ):
        compose([late])


def test_a_module_that_reads_components_only_can_stand_alone() -> None:
    late = Context("late")

    @late.component(of=Letter)
    class Summary(Component):
        text: str

    @late.system
    def of_words(words: Changed[Words]) -> Summary:
        return Summary("")

    assert compose([late]).systems[0].of == ("letters", "Letter")
