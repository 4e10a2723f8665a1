"""The small order that both sides of the log's bench keep: ours as a module, the rival in both its styles."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID, uuid4

import msgspec
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Mapper, StoredEvent
from eventsourcing.utils import get_topic, resolve_topic

from cim import Command, Context, Event, State
from cim.actors.request import Asked, content_digest
from cim.contract import codec
from cim.contract.envelope import Origin
from cim.contract.subjects import Ref

CUSTOMER, ARTICLE, TITLE = "customer-000431", "sku-77120", "a box of twelve pencils"


class Place(Command):
    """Open an order."""

    order: str
    customer: str
    currency: str


class Add(Command):
    """Put an article into the order."""

    order: str
    article: str
    title: str
    quantity: int
    cents: int


class Placed(Event):
    """An order was opened."""

    order: str
    customer: str
    currency: str


class Added(Event):
    """An article was put into the order."""

    order: str
    article: str
    title: str
    quantity: int
    cents: int


orders = Context("orders")


@orders.entity(key="order")
class Order(State):
    """An order with its total."""

    customer: str = ""
    articles: int = 0
    cents: int = 0

    def decide(self, command: Place | Add) -> Iterable[Placed | Added]:
        match command:
            case Place(order, customer, currency):
                return [Placed(order, customer, currency)]
            case Add(order, article, title, quantity, cents):
                return [Added(order, article, title, quantity, cents)]

    def evolve(self, event: Placed | Added) -> Self:
        match event:
            case Placed(_, customer, _):
                return type(self)(customer, 0, 0)
            case Added(_, _, _, quantity, cents):
                return type(self)(self.customer, self.articles + quantity, self.cents + quantity * cents)


def asked(number: int, ref: Ref, command: Command) -> Asked:
    """A command as it comes from the door; ``number`` makes its id."""
    name = type(command).__name__
    digest = content_digest(ref, name, codec.json_bytes(command))
    return Asked(ref, command, Origin.root(f"01JBENCH{number:018}", "person:bench"), digest)


def placing(number: int, order: str) -> Asked:
    """The command that opens an order."""
    return asked(number, Ref("orders", "Order", order), Place(order, CUSTOMER, "EUR"))


def adding(number: int, order: str) -> Asked:
    """The command that adds an article."""
    return asked(number, Ref("orders", "Order", order), Add(order, ARTICLE, TITLE, 3, 249))


class DefaultOrder(Aggregate):
    """The order as an aggregate in the rival's default style: JSON transcoder, decorated methods."""

    @event("Placed")
    def __init__(self, customer: str, currency: str) -> None:
        self.customer, self.currency = customer, currency
        self.articles = self.cents = 0

    @event("Added")
    def add(self, article: str, title: str, quantity: int, cents: int) -> None:
        """Put an article into the order."""
        self.articles += quantity
        self.cents += quantity * cents


class DefaultOrders(Application[UUID]):
    """The rival's default style."""

    def place(self) -> UUID:
        """Open an order."""
        order = DefaultOrder(CUSTOMER, "EUR")
        self.save(order)
        return order.id

    def add(self, order: UUID) -> None:
        """Load, add an article, save."""
        found: DefaultOrder = self.repository.get(order)
        found.add(ARTICLE, TITLE, 3, 249)
        self.save(found)

    def add_many(self, order: UUID, count: int) -> None:
        """``count`` articles in one save."""
        found: DefaultOrder = self.repository.get(order)
        for _ in range(count):
            found.add(ARTICLE, TITLE, 3, 249)
        self.save(found)

    def load(self, order: UUID) -> int:
        """The articles of an order that is loaded anew."""
        found: DefaultOrder = self.repository.get(order)
        return int(found.articles)


class LeanEvent(msgspec.Struct, frozen=True):
    """What every event of the rival's msgspec style carries."""

    originator_id: UUID
    originator_version: int
    timestamp: datetime


class LeanPlaced(LeanEvent, frozen=True):
    """An order was opened."""

    customer: str
    currency: str


class LeanAdded(LeanEvent, frozen=True):
    """An article was put into the order."""

    article: str
    title: str
    quantity: int
    cents: int


class LeanOrder(msgspec.Struct, frozen=True):
    """The order's state; ``id`` and ``version`` are what the rival asks of it."""

    id: UUID
    version: int
    customer: str
    articles: int = 0
    cents: int = 0


def folded(order: LeanOrder | None, events: Iterable[Any]) -> LeanOrder | None:
    """The state after the events."""
    for one in events:
        match one:
            case LeanPlaced():
                order = LeanOrder(one.originator_id, one.originator_version, one.customer)
            case LeanAdded() if order is not None:
                articles, cents = order.articles + one.quantity, order.cents + one.quantity * one.cents
                order = LeanOrder(order.id, one.originator_version, order.customer, articles, cents)
    return order


class LeanMapper(Mapper[UUID]):
    """Events as msgspec's JSON."""

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=get_topic(type(domain_event)),
            state=msgspec.json.encode(domain_event),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        return msgspec.json.decode(stored_event.state, type=resolve_topic(stored_event.topic))


class LeanOrders(Application[UUID]):
    """The rival's msgspec style: immutable structs, a function that folds."""

    def construct_mapper(self) -> Mapper[UUID]:
        return LeanMapper(self.construct_transcoder())

    def place(self) -> UUID:
        """Open an order."""
        order = uuid4()
        self.save(LeanPlaced(order, 1, datetime.now(UTC), CUSTOMER, "EUR"))
        return order

    def add(self, order: UUID) -> None:
        """Load, add an article, save."""
        self.add_many(order, 1)

    def add_many(self, order: UUID, count: int) -> None:
        """``count`` articles in one save."""
        version = self._found(order).version
        now = datetime.now(UTC)
        made = (LeanAdded(order, version + 1 + n, now, ARTICLE, TITLE, 3, 249) for n in range(count))
        self.save(*made)

    def load(self, order: UUID) -> int:
        """The articles of an order that is loaded anew."""
        return self._found(order).articles

    def _found(self, order: UUID) -> LeanOrder:
        found: LeanOrder = self.repository.get(order, projector_func=folded)
        return found
