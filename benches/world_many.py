"""A module whose entities carry ten components each, for the bench of the world's size."""

import time
from collections.abc import Iterable

from cim import Changed, Command, Component, Context, Event, State

many = Context("world_many")


class Count(Command):
    """Say how many pieces of an article there are."""

    article: str
    pieces: int


class Counted(Event):
    """So many were there."""

    article: str
    pieces: int


@many.entity(key="article")
class Article(State):
    """Something on a shelf."""

    pieces: int = 0

    def decide(self, command: Count) -> Iterable[Counted]:
        """Takes everything."""
        return [Counted(command.article, command.pieces)]

    def evolve(self, event: Counted) -> "Article":
        """The last count holds."""
        return self.but(pieces=event.pieces)


@many.component(of=Article)
class Colour(Component):
    """What it looks like."""

    text: str


@many.component(of=Article)
class Weight(Component):
    """What it weighs."""

    grams: int


@many.component(of=Article)
class Price(Component):
    """What it costs."""

    cents: int


@many.component(of=Article)
class Place(Component):
    """Where it lies."""

    shelf: str


@many.component(of=Article)
class Maker(Component):
    """Who made it."""

    name: str


@many.component(of=Article)
class Size(Component):
    """How long it is."""

    millimetres: int


@many.component(of=Article)
class Age(Component):
    """How old it is."""

    days: int


@many.component(of=Article)
class Stock(Component):
    """How many there are."""

    pieces: int


@many.component(of=Article)
class Grade(Component):
    """How good it is."""

    letter: str


@many.component(of=Article)
class Seen(Component):
    """When the system was called, by the wall clock."""

    called: float


@many.system
def describe(
    article: Changed[Article],
) -> tuple[Colour, Weight, Price, Place, Maker, Size, Age, Stock, Grade, Seen]:
    """Ten components out of one number."""
    return components(article.pieces, time.time())


def components(
    pieces: int, called: float
) -> tuple[Colour, Weight, Price, Place, Maker, Size, Age, Stock, Grade, Seen]:
    """What the system writes, also as the bench puts it into a log beforehand."""
    return (
        Colour("red" if pieces % 2 else "green"),
        Weight(3 * pieces),
        Price(249),
        Place(f"shelf-{pieces % 100}"),
        Maker("somebody"),
        Size(120),
        Age(pieces % 365),
        Stock(pieces),
        Grade("ABC"[pieces % 3]),
        Seen(called),
    )
