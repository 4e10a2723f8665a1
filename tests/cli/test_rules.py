"""A rule that spans entities, from the command line to the log and back: sent, shown, verified, moved on."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from cim.adapters.nats.lean import ask_api
from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.adapters.nats.stream import MUST_BE, STREAM, is_ready
from cim.leaf.accounts import Credentials
from cim.testing.bare_leaf import bare_leaf
from cim.testing.log_conformance import commit, store
from cim.testing.processes import Place, place

MODULE = '''"""Accounts, and money that goes from one to another."""

from collections.abc import Iterable

from cim import Changed, Command, Component, Context, Event, Key, Reject, Row, State, Table

bank = Context("bank")


class Deposit(Command):
    account: str
    amount: int


class Transfer(Command):
    source: str
    target: str
    amount: int


class Got(Event):
    account: str
    amount: int


class Paid(Event):
    account: str
    amount: int


@bank.entity(key="account")
class Account(State):
    balance: int = 0

    def decide(self, command: Deposit) -> Iterable[Got]:
        return [Got(command.account, command.amount)]

    def evolve(self, event: Got | Paid) -> "Account":
        sign = 1 if isinstance(event, Got) else -1
        return self.but(balance=self.balance + sign * event.amount)


@bank.rule
def transfer(command: Transfer, source: Account, target: Account) -> tuple[Iterable[Paid], Iterable[Got]]:
    """Money goes where there is some."""
    if source.balance < command.amount:
        raise Reject(f"only {source.balance} there")
    return [Paid(command.source, command.amount)], [Got(command.target, command.amount)]


@bank.component(of=Account)
class Grade(Component):
    letters: str


@bank.system
def grade(account: Changed[Account]) -> Grade:
    return Grade("A" * account.balance)


class Balance(Row):
    account: Key[str]
    cents: int


@bank.projection
def balances(event: Got | Paid, rows: Table[Balance]) -> None:
    before = rows.get(event.account)
    change = event.amount if isinstance(event, Got) else -event.amount
    rows.put(Balance(event.account, (before.cents if before else 0) + change))
'''


def lay(folder: Path) -> None:
    folder.mkdir()
    (folder / "machine.toml").write_text('name = "till"\nmodules = ["bank"]\nworkers = 1\n')
    (folder / "bank.py").write_text(MODULE)


@pytest.fixture
def till(new_machine: Place) -> Place:
    """A machine with the module of accounts; nothing runs on it."""
    lay(new_machine.folder)
    return new_machine


def balances(till: Place) -> dict[str, int]:
    shown = {one["id"]: one["state"]["balance"] for one in till.cim("show", "bank.Account", "--json").data}
    rows = {row["account"]: row["cents"] for row in till.cim("rows", "bank.balances", "--json").data}
    assert rows == shown
    return shown


@pytest.mark.parametrize("up", [True, False])
def test_it_is_sent_as_any_command(till: Place, up: bool) -> None:
    if up:
        till.up()
    assert till.cim("send", "bank.Deposit", "account=ada", "amount=8").code == 0
    moved = ("send", "bank.Transfer", "source=ada", "target=bob", "amount=3", "--id", "t1", "--json")
    first = till.cim(*moved)
    assert first.code == 0, first.err
    assert (first.data[0]["entity"], first.data[0]["command"]) == ("ada", "t1")
    assert till.cim(*moved).data == first.data
    refused = till.cim("send", "bank.Transfer", "source=ada", "target=bob", "amount=9", "--json")
    assert (refused.code, refused.data) == (
        1,
        [{"rejected": {"by": "bank.Account ada", "reason": "only 5 there"}}],
    )
    twice = till.cim("send", "bank.Transfer", "source=ada", "target=ada", "amount=1")
    assert (twice.code, "names one entity twice" in twice.err) == (1, True)
    assert balances(till) == {"ada": 5, "bob": 3}
    events = [one for one in till.cim("log", "--json").data if one["subject"].startswith("evt.")]
    assert [(one["subject"], one["id"]) for one in events[1:]] == [
        ("evt.bank.Account.bob", "t1"),
        ("evt.bank.Account.ada", "t1"),
    ]
    assert till.cim("trace", "t1").out.count("by person") == 2
    assert till.cim("verify", "--json").data[0]["faults"] == []


def test_a_history_with_such_writes_goes_on_elsewhere_bit_for_bit(till: Place, tmp_path: Path) -> None:
    till.cim("send", "bank.Deposit", "account=ada", "amount=8")
    moved = ("send", "bank.Transfer", "source=ada", "target=bob", "amount=3", "--id", "t1", "--json")
    first = till.cim(*moved)
    assert till.cim("export", tmp_path / "all.jsonl").code == 0
    lay(tmp_path / "other")
    with place(tmp_path / "other", tmp_path / "said by the other") as other:
        done = other.cim("import", tmp_path / "all.jsonl")
        assert done.code == 0, done.err
        assert other.cim("log", "--json").out == till.cim("log", "--json").out
        assert other.cim("verify", "--json").data[0]["faults"] == []
        assert other.cim(*moved).data == first.data
        assert balances(other) == {"ada": 5, "bob": 3}


def test_a_machine_that_was_made_before_is_made_ready_when_it_is_up(till: Place) -> None:
    async def older() -> None:
        async with bare_leaf(till.state) as leaf:
            await ask_api(leaf.client, f"STREAM.CREATE.{STREAM}", {"name": STREAM, **MUST_BE})

    asyncio.run(older())
    assert till.cim("send", "bank.Deposit", "account=ada", "amount=8").code == 0
    moved = ("send", "bank.Transfer", "source=ada", "target=bob", "amount=3")
    before = till.cim(*moved)
    assert before.code == 1
    assert "this log was made before writes could span entities; `cim up` makes it ready" in before.err

    running = till.up()
    assert "the log was made ready for writes that span entities" in running.err
    assert till.cim(*moved).code == 0
    address = till.address

    async def ready() -> bool:
        async with connect(address.url, Credentials(address.jwt, address.seed), "test") as client:
            return await is_ready(client)

    assert asyncio.run(ready())
    assert balances(till) == {"ada": 5, "bob": 3}
    assert till.cim("verify", "--json").data[0]["faults"] == []


def test_half_of_such_a_write_is_found_by_verify(till: Place) -> None:
    body = b'[{"type":"Got","version":1,"data":{"account":"bob","amount":3}}]'
    made = commit("evt.bank.Account.bob", "t1", body)
    half = replace(made, partners={"evt.bank.Account.ada": 1}, type="bank.Account.Committed")

    async def store_half() -> None:
        async with bare_leaf(till.state) as leaf:
            await store(await NatsLog.open(leaf.client), half)

    asyncio.run(store_half())
    done = till.cim("verify", "--json")
    assert (done.code, done.data[0]["faults"]) == (
        1,
        [f"{half.subject} #1 was written together with evt.bank.Account.ada #1, which is missing or another"],
    )
