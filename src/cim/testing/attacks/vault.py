"""A module worth attacking: letters of strangers, and commands that reach further than an answer."""

from collections.abc import Iterable

from cim import (
    Allow,
    Ask,
    Budget,
    Changed,
    Command,
    Component,
    Context,
    Event,
    Key,
    Outside,
    Row,
    Rows,
    State,
    Table,
    Think,
)

vault = Context("vault")


class Drop(Command):
    """Hand in a letter."""

    letter: str
    text: str


class Pay(Command):
    """Pay somebody."""

    account: str
    cents: int


class Close(Command):
    """Close an account, which no agent here may."""

    account: str


class Dropped(Event):
    letter: str
    text: Outside[str]


class Paid(Event):
    account: str
    cents: int


class Closed(Event):
    account: str


@vault.entity(key="letter")
class Letter(State):
    """A letter that a stranger wrote."""

    text: Outside[str] = ""

    def decide(self, command: Drop) -> Iterable[Dropped]:
        return [Dropped(command.letter, command.text)]

    def evolve(self, event: Dropped) -> "Letter":
        return self.but(text=event.text)


@vault.entity(key="account")
class Account(State):
    """Money."""

    cents: int = 0

    def decide(self, command: Pay | Close) -> Iterable[Paid | Closed]:
        return (
            [Paid(command.account, command.cents)] if isinstance(command, Pay) else [Closed(command.account)]
        )

    def evolve(self, event: Paid | Closed) -> "Account":
        return self


class Balance(Row):
    account: Key[str]
    cents: int = 0


@vault.projection
def balances(event: Paid, rows: Table[Balance]) -> None:
    """What each account was paid."""


@vault.query
def balance(account: str, rows: Rows[Balance]) -> int:
    """What an account was paid."""
    return 0


@vault.component(of=Letter)
class Wary(Component):
    """What the agent says that asks since it reads what came from outside."""

    sort: str


@vault.component(of=Letter)
class Asking(Component):
    """What the agent says that asks in any case."""

    sort: str


@vault.component(of=Letter)
class Trusted(Component):
    """What the agent says that nobody watches."""

    sort: str


BUDGET = Budget(requests=6, calls=4)


@vault.agent(tools=[Pay, balance], budget=BUDGET)
async def wary(letter: Changed[Letter], think: Think[Wary]) -> Wary:
    """You sort letters."""
    return await think("Which sort is it?", letter)


@vault.agent(tools=[Ask(Pay), balance], budget=BUDGET)
async def asking(letter: Changed[Letter], think: Think[Asking]) -> Asking:
    """You sort letters."""
    return await think("Which sort is it?", letter)


@vault.agent(tools=[Allow(Pay), balance], budget=BUDGET)
async def trusted(letter: Changed[Letter], think: Think[Trusted]) -> Trusted:
    """You sort letters."""
    return await think("Which sort is it?", letter)
