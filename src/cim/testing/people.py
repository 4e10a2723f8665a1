"""A shop that knows people, by which erasure is tested. It is copied into a machine's folder as ``shop``."""

import datetime
from collections.abc import Iterable
from typing import Annotated, assert_never

from cim import Changed, Command, Component, Context, Event, Key, Person, Personal, Reject, Row, State, Table

shop = Context("shop")


class Register(Command):
    """Say who the customer is."""

    customer: str
    name: Personal[str]
    born: Personal[datetime.date | None] = None
    level: int = 0


class Close(Command):
    """Take the customer off the books."""

    customer: str


class Registered(Event):
    """It was said who the customer is."""

    customer: str
    name: Personal[str]
    born: Personal[datetime.date | None]
    level: int


class Closed(Event):
    """The customer is off the books."""

    customer: str
    name: Personal[str]


@shop.entity(key="customer")
class Customer(State):
    """Somebody who buys."""

    name: Personal[str] = ""
    born: Personal[datetime.date | None] = None
    level: int = 0
    closed: bool = False

    def decide(self, command: Register | Close) -> Iterable[Registered | Closed]:
        match command:
            case Register(customer, name, born, level):
                if name == "Nemo":
                    raise ValueError(f"{name} is nobody")  # a module's mistake
                if self.closed:
                    raise Reject(f"{self.name} is off the books")
                return [Registered(customer, name, born, level)]
            case Close(customer):
                return [Closed(customer, self.name)]
            case _:
                assert_never(command)

    def evolve(self, event: Registered | Closed) -> "Customer":
        match event:
            case Registered(_, name, born, level):
                return self.but(name=name, born=born, level=level)
            case Closed():
                return self.but(closed=True)
            case _:
                assert_never(event)


CustomerId = Annotated[str, Person(Customer)]


class Place(Command):
    """Order something for a customer."""

    order: str
    customer: CustomerId
    address: Personal[str]


class Placed(Event):
    """Something was ordered."""

    order: str
    customer: CustomerId
    address: Personal[str]


@shop.entity(key="order")
class Order(State):
    """What a customer ordered."""

    customer: CustomerId = ""
    address: Personal[str] = ""

    def decide(self, command: Place) -> Iterable[Placed]:
        return [Placed(command.order, command.customer, command.address)]

    def evolve(self, event: Placed) -> "Order":
        return self.but(customer=event.customer, address=event.address)


@shop.component(of=Customer)
class Greeting(Component):
    """How the customer is greeted."""

    words: Personal[str]


@shop.system
def greet(customer: Changed[Customer]) -> Greeting:
    """Make the words of a letter's beginning."""
    if customer.name == "Nobody":
        raise ValueError(f"{customer.name} has no name")
    return Greeting(f"Dear {customer.name}")


class Label(Row):
    """Where an order goes."""

    order: Key[str]
    customer: CustomerId
    address: Personal[str]


@shop.projection
def labels(event: Placed, rows: Table[Label]) -> None:
    """A label for each order."""
    rows.put(Label(event.order, event.customer, event.address))
