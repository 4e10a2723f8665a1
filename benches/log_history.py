"""Orders as their actors would write them, made beforehand as bytes for a raw socket."""

from collections.abc import Iterable, Iterator

from cim.adapters.system import SystemClock
from cim.contract import codec
from cim.contract.envelope import Commit
from cim.contract.schema import dataschema
from cim.log.chain import Head
from cim.ports.clock import stamp
from costs import Cost, metered
from log_orders import ARTICLE, TITLE, Added, Placed, adding, placing
from log_raw import Raw, published
from log_sides import SOURCE


def first(order: str) -> Commit:
    """The commit that opens an order."""
    return next(history(order, 1))


def history(order: str, count: int) -> Iterator[Commit]:
    """An order's commits as its actor would write them: its first, then one article each."""
    head = Head()
    for number in range(count):
        given = placing(0, order) if number == 0 else adding(number, order)
        event = (
            Placed(order, "customer-000431", "EUR") if number == 0 else Added(order, ARTICLE, TITLE, 3, 249)
        )
        commit = head.link(
            Commit(
                subject=given.ref.events,
                number=0,
                origin=given.origin,
                source=SOURCE,
                type="orders.Order.Committed",
                time=stamp(SystemClock()),
                schema=dataschema([type(event)]),
                body=codec.write([event]),
                request=given.digest,
            )
        )
        # Its place in the stream is not known yet, and the chain does not need it.
        head = head.advance(commit)
        yield commit


def among(count: int, inbox: str, length: int = 1000) -> Iterable[bytes]:
    """``count`` messages: orders of 50 commits each in turns, one of ``length`` spread over all of them."""
    long = [frame(one, inbox) for one in history("spread", length)]
    every = max(2, count // len(long))
    others = [[frame(one, inbox) for one in history(f"other{n}", 50)] for n in range(min(count // 50, 400))]
    flat = [order[turn] for turn in range(50) for order in others]
    for number in range(count - len(long)):
        if number % (every - 1) == 0 and long:
            yield long.pop(0)
        yield flat[number % len(flat)]
    yield from long


def frame(commit: Commit, inbox: str, expected: int | None = None) -> bytes:
    """The bytes that publish a commit."""
    headers = commit.headers()
    if expected is not None:
        headers["Nats-Expected-Last-Subject-Sequence"] = str(expected)
    return published(commit.subject, inbox, commit.body, headers)


def raw_publishes(raw: Raw, count: int, in_flight: int, name: str = "raw") -> Cost:
    """Publishes with expectation, one new subject each, as bytes made before: the server's own limit."""
    inbox = raw.inbox()
    frames = [frame(first(f"{name}{n}"), inbox, 0) for n in range(count)]
    with metered(count) as meter:
        raw.send(frames, in_flight)
    return meter.cost
