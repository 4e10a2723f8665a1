"""An order is charged and sent; what cannot be sent is paid back; a letter goes out after a while."""

import os
import signal
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from cim import Command, Context, Event, Later, Process, Reject, Rejected, State, Timer

killed_shop = Context("killed_shop")
FATE = Path(__file__).with_name("fate")


def meet(moment: str) -> None:
    """End here as kill -9 does, if that was foreseen."""
    if FATE.exists() and FATE.read_text() == moment:
        FATE.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


class Place(Command):
    """Order."""

    order: str
    item: str
    seconds: float = 0.0


class Placed(Event):
    """Ordered."""

    order: str
    item: str
    seconds: float


class Charge(Command):
    """Take the money."""

    payment: str


class PayBack(Command):
    """Give it back."""

    payment: str


class Charged(Event):
    """It is here."""

    payment: str
    order: str


class PaidBack(Event):
    """It is gone."""

    payment: str
    order: str


class Send(Command):
    """Send it."""

    parcel: str
    item: str


class Sent(Event):
    """On its way."""

    parcel: str
    item: str
    order: str


@killed_shop.entity(key="order")
class Order(State):
    """An order."""

    def decide(self, command: Place) -> Iterable[Placed]:
        return [Placed(command.order, command.item, command.seconds)]

    def evolve(self, event: Placed) -> "Order":
        return self


@killed_shop.entity(key="payment")
class Payment(State):
    """Counts what was taken."""

    taken: int = 0

    def decide(self, command: Charge | PayBack) -> Iterable[Charged | PaidBack]:
        meet("deciding")
        if isinstance(command, Charge):
            return [Charged(command.payment, command.payment)]
        return [PaidBack(command.payment, command.payment)]

    def evolve(self, event: Charged | PaidBack) -> "Payment":
        return self.but(taken=self.taken + (1 if isinstance(event, Charged) else -1))


@killed_shop.entity(key="parcel")
class Parcel(State):
    """Sent once."""

    def decide(self, command: Send) -> Iterable[Sent]:
        meet("sending")
        if command.item == "piano":
            meet("rejecting")
            raise Reject("too heavy")
        return [Sent(command.parcel, command.item, command.parcel)]

    def evolve(self, event: Sent) -> "Parcel":
        return self


class Late(Timer):
    """Time for the next thing."""

    order: str


class Ended(Event):
    """How it ended."""

    how: str


class Began(Event):
    """What it is about."""

    item: str


@killed_shop.process(key="order")
class Fulfilment(Process):
    """Waits, charges, sends or pays back."""

    item: str = ""

    def react(
        self, trigger: Placed | Late | Charged | Sent | Rejected[Send]
    ) -> Iterable[Began | Ended | Charge | Send | PayBack | Later[Late]]:
        meet(type(trigger).__name__)
        match trigger:
            case Placed(order, "nonsense", _):
                raise ValueError(f"{order} makes no sense")
            case Placed(order, item, seconds):
                return [Began(item), Later(Late(order), after=timedelta(seconds=seconds))]
            case Late(order):
                return [Charge(order)]
            case Charged(order):
                return [Send(order, self.item)]
            case Sent(_):
                return [Ended("sent")]
            case Rejected(Send(order), reason):
                return [Ended(reason), PayBack(order)]

    def evolve(self, fact: Began | Ended) -> "Fulfilment":
        return self.but(item=fact.item) if isinstance(fact, Began) else self
