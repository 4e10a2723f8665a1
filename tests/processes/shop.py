"""A shop: an order is charged, then sent; what cannot be sent is paid back; who waits is written to."""

from collections.abc import Iterable
from datetime import timedelta

from cim import Cancel, Command, Context, Event, Later, Process, Reject, Rejected, State, Timer


class Place(Command):
    """Order something."""

    order: str
    item: str


class Withdraw(Command):
    """Take an order back."""

    order: str


class Placed(Event):
    """Something was ordered."""

    order: str
    item: str


class Withdrawn(Event):
    """It is not wanted any more."""

    order: str


class Charge(Command):
    """Take the money."""

    order: str


class PayBack(Command):
    """Give the money back."""

    order: str


class Charged(Event):
    """The money is here."""

    order: str


class PaidBack(Event):
    """The money is gone again."""

    order: str


class Send(Command):
    """Send a parcel."""

    order: str
    item: str


class Sent(Event):
    """The parcel is on its way."""

    order: str
    item: str


class Write(Command):
    """Write a letter about an order."""

    letter: str
    text: str


class Written(Event):
    """A letter was written."""

    letter: str
    text: str


shop, post = Context("shop"), Context("post")


@shop.entity(key="order")
class Order(State):
    """What somebody wants."""

    item: str = ""

    def decide(self, command: Place | Withdraw) -> Iterable[Placed | Withdrawn]:
        """An order can be placed and withdrawn, again and again."""
        match command:
            case Place(order, item):
                return [Placed(order, item)]
            case Withdraw(order):
                return [Withdrawn(order)]

    def evolve(self, event: Placed | Withdrawn) -> "Order":
        """It holds what was ordered last."""
        return self.but(item=event.item if isinstance(event, Placed) else "")


@shop.entity(key="order")
class Payment(State):
    """The money for an order."""

    here: bool = False

    def decide(self, command: Charge | PayBack) -> Iterable[Charged | PaidBack]:
        """Money comes once and goes once."""
        if isinstance(command, Charge):
            return [] if self.here else [Charged(command.order)]
        return [PaidBack(command.order)] if self.here else []

    def evolve(self, event: Charged | PaidBack) -> "Payment":
        """It is here or not."""
        return self.but(here=isinstance(event, Charged))


@post.entity(key="order")
class Parcel(State):
    """What is sent; a piano is too heavy."""

    item: str = ""

    def decide(self, command: Send) -> Iterable[Sent]:
        """Only what can be carried."""
        if command.item == "piano":
            raise Reject("too heavy")
        return [Sent(command.order, command.item)]

    def evolve(self, event: Sent) -> "Parcel":
        """It is on its way."""
        return self.but(item=event.item)


@post.entity(key="letter")
class Letter(State):
    """What was written."""

    text: str = ""

    def decide(self, command: Write) -> Iterable[Written]:
        """Anything can be written."""
        return [Written(command.letter, command.text)]

    def evolve(self, event: Written) -> "Letter":
        """It says what it says."""
        return self.but(text=event.text)


class Began(Event):
    """The work on an order began."""

    item: str


class Ended(Event):
    """The work on an order is over."""

    how: str


class Overdue(Timer):
    """The parcel should be gone by now."""

    order: str


DAY = timedelta(days=1)


@shop.process(key="order")
class Fulfilment(Process):
    """Charges and sends what was ordered; pays back what cannot be sent; writes when it takes long."""

    item: str = ""
    how: str = ""

    def react(
        self, trigger: Placed | Withdrawn | Charged | Sent | Overdue | Rejected[Send]
    ) -> Iterable[Began | Ended | Charge | Send | PayBack | Write | Later[Overdue] | Cancel[Overdue]]:
        """What follows from what has happened."""
        match trigger:
            case Placed(order, "nonsense"):
                raise ValueError(f"{order} makes no sense")
            case Placed(order, item):
                return [Began(item), Charge(order), Later(Overdue(order), after=DAY)]
            case Charged(order):
                return [Send(order, self.item)]
            case Sent(order):
                return [Ended("sent"), Cancel(Overdue(order))]
            case Withdrawn(order):
                return [Cancel(Overdue(order))] if self.item else []
            case Rejected(Send(order), reason):
                return [Ended(reason), PayBack(order), Cancel(Overdue(order))]
            case Overdue(order):
                return [Write(f"{order}-late", self.item), Later(Overdue(order), after=DAY)]

    def evolve(self, fact: Began | Ended) -> "Fulfilment":
        """It knows what it is at, and how it ended."""
        return self.but(item=fact.item) if isinstance(fact, Began) else self.but(how=fact.how)


@shop.policy
def thank(event: Placed | PaidBack) -> Write | None:
    """Thank for each order; nothing more to say about money."""
    return Write(f"{event.order}-thanks", event.item) if isinstance(event, Placed) else None
