"""What a rule's signature says: the command, the entities that its fields name, the events of each."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from cim import Command, Context, Event, Personal, State
from cim.contract.composition import Composition, compose
from cim.contract.subjects import Ref
from cim.domain.errors import CimError, Misdeclared


class Open(Command):
    account: str


class Transfer(Command):
    source: str
    target: str
    amount: int


class Paid(Event):
    amount: int


class Got(Event):
    amount: int


class Stray(Event):
    amount: int


class Odd(Command):
    source: int
    target: str


class Gift(Command):
    source: str
    target: str
    words: Personal[str]


bank, shop = Context("bank"), Context("shop")


@bank.entity(key="account")
class Account(State):
    balance: int = 0

    def decide(self, command: Open) -> Iterable[Got]:
        return []

    def evolve(self, event: Paid | Got) -> "Account":
        return self


class Buy(Command):
    order: str


@shop.entity(key="order")
class Order(State):
    def decide(self, command: Buy) -> Iterable[Stray]:
        return []

    def evolve(self, event: Stray) -> "Order":
        return self


Both = tuple[Iterable[Paid], Iterable[Got]]


def transfer(command: Transfer, source: Account, target: Account) -> Both:
    return [Paid(command.amount)], [Got(command.amount)]


async def waits(command: Transfer, source: Account, target: Account) -> Both: ...  # type: ignore[empty-body]


def alone(command: Transfer, source: Account) -> tuple[Iterable[Paid]]: ...  # type: ignore[empty-body]


def commandless(source: Account, target: Account, third: Account) -> Both: ...  # type: ignore[empty-body]


def untyped(command: Transfer, source, target: Account) -> Both: ...  # type: ignore[no-untyped-def, empty-body]


def starred(command: Transfer, source: Account, *target: Account) -> Both: ...  # type: ignore[empty-body]


def nameless(command: Transfer, source: Account, other: Account) -> Both: ...  # type: ignore[empty-body]


def odd(command: Odd, source: Account, target: Account) -> Both: ...  # type: ignore[empty-body]


def foreign(command: Transfer, source: Account, target: Order) -> Both: ...  # type: ignore[empty-body]


def listed(command: Transfer, source: Account, target: Account) -> list[Paid]: ...  # type: ignore[empty-body]


def short(command: Transfer, source: Account, target: Account) -> tuple[Iterable[Paid]]: ...  # type: ignore[empty-body]


def stray(command: Transfer, source: Account, target: Account) -> tuple[Iterable[Paid], Iterable[Stray]]: ...  # type: ignore[empty-body]


def taken(command: Open, account: Account, target: Account) -> Both: ...  # type: ignore[empty-body]


def personal(command: Gift, source: Account, target: Account) -> Both: ...  # type: ignore[empty-body]


def read(*functions: Callable[..., Any]) -> Composition:
    context = Context("bank")
    context.entities, context.rules = bank.entities, list(functions)
    return compose([context, shop])


def test_the_signature_is_the_command_its_entities_and_the_events_of_each() -> None:
    composition = read(transfer)
    rule = composition.rules["bank", "Transfer"]
    assert (str(rule), rule.command, rule.parameter) == ("bank.transfer", Transfer, "command")
    assert [(part.field, str(part.kind), list(part.events)) for part in rule.parts] == [
        ("source", "bank.Account", ["Paid"]),
        ("target", "bank.Account", ["Got"]),
    ]
    assert rule.refs(Transfer("a", "b", 1)) == (Ref("bank", "Account", "a"), Ref("bank", "Account", "b"))
    kind = composition.command("bank", "Transfer")
    assert (str(kind), kind.key_for("Transfer"), kind.key_for("Open")) == (
        "bank.Account",
        "source",
        "account",
    )
    assert rule.decide(Transfer("a", "b", 7), [Account(), Account()]) == ((Paid(7),), (Got(7),))


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (waits, "bank.waits is async"),
        (alone, "bank.alone must be written `alone(command: SomeCommand, one: SomeState, other: …)`"),
        (commandless, "bank.commandless must be written"),
        (untyped, "bank.untyped must be written"),
        (starred, "bank.starred must be written"),
        (nameless, "Transfer has no field `other: str` that names the entity"),
        (odd, "Odd has no field `source: str` that names the entity"),
        (foreign, "Order'>, which is no entity of this module; there are: Account"),
        (listed, "must say `-> tuple[Iterable[an event of Account], Iterable[an event of Account]]`"),
        (short, "must say `-> tuple[Iterable[an event of Account], Iterable[an event of Account]]`"),
        (stray, "bank.stray returns Stray for Account, whose events are: Paid, Got"),
        (personal, "Gift has personal fields, and a rule's command is of several entities"),
        (taken, "Open has no field `target: str`"),
    ],
)
def test_what_cannot_be_is_refused_by_name(function: Callable[..., Any], said: str) -> None:
    with pytest.raises(Misdeclared) as error:
        read(function)
    assert said in str(error.value)
    assert f"bank.{function.__name__}" in str(error.value)


def test_a_command_is_taken_once() -> None:
    def again(command: Transfer, source: Account, target: Account) -> Both:
        return [], []

    with pytest.raises(Misdeclared, match=r"two entities or rules take the command bank\.Transfer"):
        read(transfer, again)


def test_one_entity_under_two_names_is_refused() -> None:
    rule = read(transfer).rules["bank", "Transfer"]
    with pytest.raises(CimError, match="Transfer names one entity twice: source, target must be different"):
        rule.refs(Transfer("a", "a", 1))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([Paid(1)], "bank.lies must return a tuple of 2"),
        (([Paid(1)],), "bank.lies must return a tuple of 2"),
        (([Got(1)], []), "returned Got(amount=1) for source, whose events are Paid"),
    ],
)
def test_a_rule_that_returns_something_else_is_an_error_by_name(answer: Any, said: str) -> None:
    def lies(command: Transfer, source: Account, target: Account) -> Both:
        return answer  # type: ignore[no-any-return]

    with pytest.raises(CimError) as error:
        read(lies).rules["bank", "Transfer"].decide(Transfer("a", "b", 1), [Account(), Account()])
    assert said in str(error.value)
