"""A module whose components are written, taken away and put right."""

from collections.abc import Iterable

from cim import Changed, Command, Component, Context, Event, Failure, State

boxes = Context("boxes")

BROKEN = 13
"""Grams at which no price can be told."""


class Pack(Command):
    """Say what the box weighs."""

    box: str
    grams: int


class Reprice(Command):
    """Say what it costs."""

    box: str
    cents: int


class Packed(Event):
    """It weighs as much."""

    box: str
    grams: int


class Repriced(Event):
    """A person said what it costs."""

    box: str
    cents: int


@boxes.entity(key="box")
class Box(State):
    """A box on its way."""

    grams: int = 0

    def decide(self, command: Pack | Reprice) -> Iterable[Packed | Repriced]:
        """Takes everything."""
        if isinstance(command, Pack):
            return [Packed(command.box, command.grams)]
        return [Repriced(command.box, command.cents)]

    def evolve(self, event: Packed | Repriced) -> "Box":
        """What a person says of the price is not the box's state."""
        return self.but(grams=event.grams) if isinstance(event, Packed) else self


@boxes.component(of=Box)
class Price(Component):
    """What it costs; an empty box has none."""

    cents: int

    def correct(self, event: Repriced) -> "Price":
        """As a person says."""
        return self.but(cents=event.cents)


@boxes.component(of=Box)
class Size(Component):
    """How large it is."""

    letters: str


@boxes.component(of=Box)
class Label(Component):
    """What stands on it."""

    text: str


@boxes.system
def price(box: Changed[Box]) -> tuple[Price | None, Size]:
    """Two cents a gram."""
    if box.grams == BROKEN:
        raise Failure("thirteen is no weight")
    return Price(2 * box.grams) if box.grams else None, Size("L" if box.grams > 100 else "S")


@boxes.system
def label(price: Changed[Price]) -> Label:
    """Reads a value that may be corrected."""
    return Label(f"{price.cents} c")
