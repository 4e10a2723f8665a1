"""The module that the bench of the parts runs: accounts with a rule and rows, a policy, and reminders."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from cim import Command, Context, Event, Key, Later, Process, Reject, Row, Rows, State, Table, Timer


class Deposit(Command):
    """Put money into an account."""

    account: str
    cents: int


class Deposited(Event):
    """Money came into an account."""

    account: str
    cents: int


class Withdrawn(Event):
    """Money left an account."""

    account: str
    cents: int


class Transfer(Command):
    """Money from one account to another."""

    source: str
    target: str
    cents: int


class Earn(Command):
    """Something was earned; the policy saves some of it."""

    wage: str


class Earned(Event):
    """It is here."""

    wage: str


class Save(Command):
    """Put some into a pot."""

    pot: str


class Saved(Event):
    """It is in the pot."""

    pot: str


class Promise(Command):
    """Be reminded ``count`` times: ``first``, then every ``apart`` seconds."""

    reminder: str
    first: datetime
    apart: float
    count: int


class Promised(Event):
    """Somebody counts on reminders."""

    reminder: str
    first: datetime
    apart: float
    count: int


bank = Context("parts_bank")


@bank.entity(key="account")
class Account(State):
    """Some money."""

    cents: int = 0

    def decide(self, command: Deposit) -> Iterable[Deposited]:
        """Money is always welcome."""
        return [Deposited(command.account, command.cents)]

    def evolve(self, event: Deposited | Withdrawn) -> "Account":
        """It adds up."""
        change = event.cents if isinstance(event, Deposited) else -event.cents
        return self.but(cents=self.cents + change)


@bank.rule
def transfer(
    command: Transfer, source: Account, target: Account
) -> tuple[Iterable[Withdrawn], Iterable[Deposited]]:
    """Nobody gives what they have not."""
    if source.cents < command.cents:
        raise Reject("not enough")
    return [Withdrawn(command.source, command.cents)], [Deposited(command.target, command.cents)]


class Balance(Row):
    """What an account holds."""

    account: Key[str]
    cents: int


@bank.projection
def balances(event: Deposited | Withdrawn, rows: Table[Balance]) -> None:
    """A row an account."""
    before = rows.get(event.account)
    change = event.cents if isinstance(event, Deposited) else -event.cents
    rows.put(Balance(event.account, (before.cents if before else 0) + change))


@bank.query
def balance(account: str, rows: Rows[Balance]) -> int:
    """What an account holds, from its one row."""
    found = rows.get(account)
    return found.cents if found else 0


@bank.entity(key="wage")
class Wage(State):
    """What was earned."""

    times: int = 0

    def decide(self, command: Earn) -> Iterable[Earned]:
        """Again and again."""
        return [Earned(command.wage)]

    def evolve(self, event: Earned) -> "Wage":
        """Once more."""
        return self.but(times=self.times + 1)


@bank.entity(key="pot")
class Pot(State):
    """What was saved."""

    times: int = 0

    def decide(self, command: Save) -> Iterable[Saved]:
        """Again and again."""
        return [Saved(command.pot)]

    def evolve(self, event: Saved) -> "Pot":
        """Once more."""
        return self.but(times=self.times + 1)


@bank.policy
def put_by(event: Earned) -> Save:
    """Of what is earned some is saved."""
    return Save(event.wage)


@bank.entity(key="reminder")
class Reminder(State):
    """What somebody counts on."""

    times: int = 0

    def decide(self, command: Promise) -> Iterable[Promised]:
        """A promise is a promise."""
        return [Promised(command.reminder, command.first, command.apart, command.count)]

    def evolve(self, event: Promised) -> "Reminder":
        """One more."""
        return self.but(times=self.times + 1)


class Due(Timer):
    """One of the reminders."""

    number: int


@bank.process(key="reminder")
class Reminding(Process):
    """Reminds, and leaves it at that."""

    def react(self, trigger: Promised | Due) -> Iterable[Later[Due]]:
        """All timers of a promise at once."""
        match trigger:
            case Promised(_, first, apart, count):
                return [Later(Due(n), at=first + n * timedelta(seconds=apart)) for n in range(count)]
            case Due():
                return []
