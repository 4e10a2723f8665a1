"""Contexts: what was declared under them, and by whom."""

import pytest

from cim import Changed, Component, Context, State
from cim.domain.context import declared_component, declared_entity
from cim.domain.errors import Misdeclared


def test_a_context_knows_what_was_declared_and_by_whom() -> None:
    letters = Context("letters", {"stamp": "What a letter is paid with."})

    @letters.entity(key="letter")
    class Letter(State):
        text: str = ""

    @letters.component(of=Letter)
    class Stamp(Component):
        price: str

    @letters.system
    def stamp(letter: Changed[Letter]) -> Stamp:
        return Stamp("1.00")

    entity, component = declared_entity(Letter), declared_component(Stamp)
    assert letters.entities == [entity]
    assert entity is not None
    assert (entity.context, entity.state, entity.key) == ("letters", Letter, "letter")
    assert letters.components == [component]
    assert component is not None
    assert (component.context, component.component, component.of) == ("letters", Stamp, Letter)
    assert letters.systems == [stamp]
    assert letters.glossary == {"stamp": "What a letter is paid with."}


def test_a_declared_system_is_still_a_plain_function() -> None:
    letters = Context("letters")

    @letters.system
    def double(number: int) -> int:
        return 2 * number

    assert double(4) == 8


def test_a_subclass_is_not_declared_by_its_base() -> None:
    letters = Context("letters")

    @letters.entity(key="letter")
    class Letter(State):
        pass

    class Card(Letter):
        pass

    @letters.component(of=Letter)
    class Stamp(Component):
        pass

    class Seal(Stamp):
        pass

    assert declared_entity(Card) is None
    assert declared_component(Seal) is None


def test_a_class_has_one_owner() -> None:
    letters, parcels = Context("letters"), Context("parcels")

    @letters.entity(key="letter")
    class Letter(State):
        pass

    @letters.component(of=Letter)
    class Stamp(Component):
        pass

    with pytest.raises(Misdeclared, match="parcels: Letter was declared by context letters already"):
        parcels.entity(key="letter")(Letter)
    with pytest.raises(Misdeclared, match="parcels: Stamp was declared by context letters already"):
        parcels.component(of=Letter)(Stamp)
    assert parcels.entities == []
    assert parcels.components == []
