"""Entities out of their annotations, and each thing that cannot be, by its name."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from cim import Blob, Command, Event, State
from cim.contract.entity import EntityType, key_of, read_entity
from cim.contract.subjects import BadToken
from cim.domain.context import EntityDeclared
from cim.domain.errors import Misdeclared

if TYPE_CHECKING:
    from cim import Command as Hidden


class Open(Command):
    account: str


class Elsewhere:
    class Open(Command):
        account: str


class Deposit(Command):
    account: str
    receipt: Blob | None
    amount: int


class Opened(Event):
    account: str


class Deposited(Event):
    account: str
    amount: int


class Account(State):
    balance: int = 0

    def decide(self, command: Open | Deposit) -> Iterable[Opened | Deposited]:
        return []

    def evolve(self, event: Opened | Deposited) -> "Account":
        return self


def read(state: type[State], key: str = "account", context: str = "bank") -> EntityType:
    return read_entity(EntityDeclared(context, state, key))


def test_an_entity_is_what_its_annotations_say() -> None:
    kind = read(Account)
    assert str(kind) == "bank.Account"
    assert kind.commands == {"Open": Open, "Deposit": Deposit}
    assert kind.events == {"Opened": Opened, "Deposited": Deposited}
    assert kind.blob_field(Deposit) == "receipt"
    assert kind.blob_field(Open) is None
    assert key_of(kind, Open("a-1")) == "a-1"


def test_an_id_that_cannot_stand_in_a_subject_names_the_entity_and_the_field() -> None:
    kind = read(Account)
    with pytest.raises(BadToken, match=r"bank\.Account account 'a\.b' holds a character outside"):
        key_of(kind, Open("a.b"))


class Count(Command):
    number: int


class Numbered(State):
    def decide(self, command: Count) -> Iterable[Opened]:
        return []

    def evolve(self, event: Opened) -> "Numbered":
        return self


class NoDecide(State):
    def evolve(self, event: Opened) -> "NoDecide":
        return self


class InheritedEvolve(Account):
    def decide(self, command: Open | Deposit) -> Iterable[Opened]:
        return []


class NoWord(State):
    def decide(self, command) -> Iterable[Opened]:  # type: ignore[no-untyped-def]
        return []

    def evolve(self, event: Opened) -> "NoWord":
        return self


class Anything(State):
    def decide(self, command: Any) -> Iterable[Opened]:
        return []

    def evolve(self, event: Opened) -> "Anything":
        return self


class TwoParameters(State):
    def decide(self, command: Open, now: str) -> Iterable[Opened]:  # type: ignore[override]
        return []

    def evolve(self, event: Opened) -> "TwoParameters":
        return self


class OneEvent(State):
    def decide(self, command: Open) -> Opened:  # type: ignore[override]
        return Opened("a")

    def evolve(self, event: Opened) -> "OneEvent":
        return self


class AList(State):
    def decide(self, command: Open) -> list[Opened]:
        return []

    def evolve(self, event: Opened) -> "AList":
        return self


class AGenerator(State):
    def decide(self, command: Open) -> Iterator[Opened]:
        yield Opened("a")

    def evolve(self, event: Opened) -> "AGenerator":
        return self


class NoReturn(State):
    def decide(self, command: Open):  # type: ignore[no-untyped-def]
        return []

    def evolve(self, event: Opened) -> "NoReturn":
        return self


class Forgetful(State):
    def decide(self, command: Open) -> Iterable[Opened | Deposited]:
        return []

    def evolve(self, event: Opened) -> "Forgetful":
        return self


class DecidesCommands(State):
    def decide(self, command: Open) -> Iterable[Open]:
        return []

    def evolve(self, event: Opened) -> "DecidesCommands":
        return self


class TakesEvents(State):
    def decide(self, command: Opened) -> Iterable[Opened]:
        return []

    def evolve(self, event: Opened) -> "TakesEvents":
        return self


class EvolvesText(State):
    def decide(self, command: Open) -> Iterable[Opened]:
        return []

    def evolve(self, event: str) -> "EvolvesText":
        return self


class NoDefault(State):
    balance: int

    def decide(self, command: Open) -> Iterable[Opened]:
        return []

    def evolve(self, event: Opened) -> "NoDefault":
        return self


class SeenByCheckersOnly(State):
    def decide(self, command: "Hidden") -> Iterable[Opened]:
        return []

    def evolve(self, event: Opened) -> "SeenByCheckersOnly":
        return self


class Größe(Command):
    account: str


class NotAscii(State):
    def decide(self, command: Größe) -> Iterable[Opened]:
        return []

    def evolve(self, event: Opened) -> "NotAscii":
        return self


class Unwritable(State):
    inside: object = None

    def decide(self, command: Open) -> Iterable[Opened]:
        return []

    def evolve(self, event: Opened) -> "Unwritable":
        return self


class Twice(State):
    def decide(self, command: Open | Elsewhere.Open) -> Iterable[Opened]:
        return []

    def evolve(self, event: Opened) -> "Twice":
        return self


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (NoDecide, r"bank\.NoDecide declares no `decide\(self, …\)` of its own"),
        (InheritedEvolve, r"bank\.InheritedEvolve declares no `evolve\(self, …\)` of its own"),
        (NoWord, r"bank\.NoWord\.decide: say which messages `command` may be"),
        (Anything, r"bank\.Anything\.decide: say which messages `command` may be"),
        (TwoParameters, r"declares no `decide\(self, …\)` of its own with one message parameter"),
        (OneEvent, r"bank\.OneEvent\.decide must say `-> Iterable\[SomeEvent \| …\]`, not .*Opened"),
        (AList, r"bank\.AList\.decide must say `-> Iterable\[SomeEvent \| …\]`, not list"),
        (AGenerator, r"bank\.AGenerator\.decide must say `-> Iterable\["),
        (NoReturn, r"bank\.NoReturn\.decide must say `-> Iterable\[SomeEvent \| …\]`, not None"),
        (Forgetful, r"bank\.Forgetful\.decide returns Deposited, which evolve does not take: add it there"),
        (DecidesCommands, r"bank\.DecidesCommands\.decide returns .*Open.*, which is no Event"),
        (TakesEvents, r"bank\.TakesEvents\.decide takes .*Opened.*, which is no Command"),
        (EvolvesText, r"bank\.EvolvesText\.evolve takes <class 'str'>, which is no Event"),
        (NoDefault, r"bank\.NoDefault: every field needs a default, .*'balance'"),
        (SeenByCheckersOnly, r"SeenByCheckersOnly\.decide: name 'Hidden' is not defined; .*TYPE_CHECKING"),
        (Unwritable, r"bank\.Unwritable: Unwritable cannot be written as JSON: .*object"),
        (Twice, r"bank\.Twice\.decide takes two types named Open: name one of them otherwise"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(state: type[State], said: str) -> None:
    with pytest.raises(Misdeclared, match=said):
        read(state)


def test_a_key_that_commands_do_not_carry_as_text_is_refused() -> None:
    for state, key in ((Account, "iban"), (Account, "amount"), (Numbered, "number")):
        with pytest.raises(
            Misdeclared, match=f"{state.__name__}: command [A-Za-z]+ has no field `{key}: str`"
        ):
            read(state, key=key)


def named(name: str) -> type[State]:
    return type(name, (State,), {"decide": Account.decide, "evolve": Account.evolve})


@pytest.mark.parametrize(
    ("context", "state", "said"),
    [
        ("my bank", Account, "context 'my bank' holds a character outside"),
        ("bank", named("Kontoführung"), "entity 'Kontoführung' holds a character outside"),
        ("bank", named("x" * 200), "entity 'x+'… has 200 characters"),
        ("bank", NotAscii, "command 'Größe' holds a character outside"),
    ],
)
def test_a_name_that_cannot_stand_in_a_subject_is_refused(
    context: str, state: type[State], said: str
) -> None:
    with pytest.raises(BadToken, match=said):
        read(state, context=context)
