"""Entities with personal values: what the log holds, and what a command meets once its person is erased."""

import asyncio
import datetime
from pathlib import Path

import pytest

from cim import ERASED, Command
from cim.actors.actors import Actors
from cim.actors.past import Keeping
from cim.actors.request import Asked, Receipt, Rejection, content_digest
from cim.adapters.memory.keys import MemoryKeys
from cim.adapters.memory.log import MemoryLog
from cim.adapters.memory.snapshots import MemorySnapshots
from cim.adapters.sqlite.keys import SqliteKeys
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.envelope import Origin
from cim.contract.subjects import Ref
from cim.log.sealing import Sealing
from cim.ports.keys import KeyLost, PersonErased
from cim.ports.snapshots import Snapshot
from cim.testing.clock import HandClock
from cim.testing.people import Close, Customer, Register, Registered, shop

ADA = Ref("shop", "Customer", "ada")
COMPOSITION = compose([shop])


def asked(command: Command, id: str, ref: Ref = ADA) -> Asked:
    name = type(command).__name__
    digest = content_digest(ref, name, codec.encode([codec.item(command)]))
    return Asked(ref, command, Origin.root(id, "person:clerk"), digest)


@pytest.fixture
def keys() -> MemoryKeys:
    return MemoryKeys()


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


def actors(log: MemoryLog, keys: MemoryKeys) -> Actors:
    return Actors(COMPOSITION, log, HandClock(), "cim:shop", sealing=Sealing(keys))


REGISTER = Register("ada", "Ada Lovelace", datetime.date(1815, 12, 10), 3)


async def whole_log(log: MemoryLog) -> bytes:
    return b"".join([commit.body + commit.lines async for commit in log.read(">")])


async def test_the_log_holds_no_word_of_it_and_everything_works_as_ever(
    log: MemoryLog, keys: MemoryKeys
) -> None:
    machine = actors(log, keys)
    first = await machine.handle(asked(REGISTER, "c1"))
    assert isinstance(first, Receipt)
    assert await machine.handle(asked(REGISTER, "c1")) == first
    assert await actors(log, keys).handle(asked(REGISTER, "c1")) == first
    other = await machine.handle(asked(Register("ada", "Ada Byron"), "c1"))
    assert isinstance(other, Rejection)
    assert "another command" in other.reason
    await machine.handle(asked(Close("ada"), "c2"))
    rejected = await machine.handle(asked(REGISTER, "c3"))
    assert rejected == Rejection(str(ADA), "Ada Lovelace is off the books")
    written = await whole_log(log)
    assert b"Lovelace" not in written
    assert b"1815" not in written
    assert asked(REGISTER, "c1").digest.partition("/")[2].encode() not in written


async def test_a_command_that_is_sent_again_after_the_erasure_has_one_effect(
    log: MemoryLog, keys: MemoryKeys
) -> None:
    first = await actors(log, keys).handle(asked(REGISTER, "c1"))
    keys.destroy("shop.Customer.ada")
    assert await actors(log, keys).handle(asked(REGISTER, "c1")) == first
    assert await log.last() == 1


async def test_who_was_erased_is_told_so_and_what_is_not_personal_goes_on(
    log: MemoryLog, keys: MemoryKeys
) -> None:
    machine = actors(log, keys)
    await machine.handle(asked(REGISTER, "c1"))
    keys.destroy("shop.Customer.ada")
    with pytest.raises(PersonErased, match=r"shop\.Customer\.ada was erased: what is new of them"):
        await machine.handle(asked(Register("ada", "Ada again"), "c2"))
    assert await log.last() == 1
    assert isinstance(await machine.handle(asked(Close("ada"), "c3")), Receipt)
    rejected = await machine.handle(asked(REGISTER, "c4"))
    assert rejected == Rejection(str(ADA), f"{ERASED} is off the books")


async def test_a_warm_entity_that_is_let_go_reads_as_erased_at_its_next_command(
    log: MemoryLog, keys: MemoryKeys
) -> None:
    machine = actors(log, keys)
    await machine.handle(asked(REGISTER, "c1"))
    keys.destroy("shop.Customer.ada")
    machine.forget([ADA])
    assert isinstance(await machine.handle(asked(Close("ada"), "c2")), Receipt)
    assert [b"erased" in one.body async for one in log.read(">")] == [True, True]


async def test_a_warm_entity_that_is_not_let_go_writes_nothing_of_who_was_erased(
    log: MemoryLog, keys: MemoryKeys
) -> None:
    machine = actors(log, keys)
    await machine.handle(asked(REGISTER, "c1"))
    keys.destroy("shop.Customer.ada")
    with pytest.raises(PersonErased):  # its state still says the name, which Closed would hold
        await machine.handle(asked(Close("ada"), "c2"))
    assert isinstance(await machine.handle(asked(Close("ada"), "c2")), Receipt)


async def test_with_a_lost_store_nothing_is_written_under_a_fresh_key(log: MemoryLog) -> None:
    await actors(log, MemoryKeys()).handle(asked(REGISTER, "c1"))
    fresh = MemoryKeys()
    for id in ("c2", "c3"):
        with pytest.raises(KeyLost, match="put the store back"):
            await actors(log, fresh).handle(asked(Register("ada", "Ada"), id))
    assert fresh.find("shop.Customer.ada") is None
    assert await log.last() == 1


def test_a_module_is_written_and_tested_without_any_of_this() -> None:
    from cim.testing.given import given

    given(Customer).when(REGISTER).then(Registered("ada", "Ada Lovelace", datetime.date(1815, 12, 10), 3))


async def test_keys_of_many_new_persons_are_on_disk_before_their_events(tmp_path: Path) -> None:
    log, keys = MemoryLog(), SqliteKeys(tmp_path / "keys.sqlite")
    machine = Actors(COMPOSITION, log, HandClock(), "cim:shop", sealing=Sealing(keys))
    ids = [f"c{number}" for number in range(100)]
    commands = [asked(Register(id, "Name"), id, Ref("shop", "Customer", id)) for id in ids]
    assert all(isinstance(one, Receipt) for one in await asyncio.gather(*map(machine.handle, commands)))
    keys.close()
    again = Sealing(SqliteKeys(tmp_path / "keys.sqlite"))
    bodies = [again.body(commit) async for commit in log.read(">")]
    assert sum(b'"name":"Name"' in body for body in bodies) == 100


async def rest() -> None:
    """Let snapshots in memory be written."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_snapshot_is_sealed_and_worth_nothing_once_its_person_is_erased(
    log: MemoryLog, keys: MemoryKeys
) -> None:
    store = MemorySnapshots()

    def opened() -> Actors:
        keeping = Keeping(store, lambda text: None, every=3, parting=1)
        return Actors(COMPOSITION, log, HandClock(), "cim:shop", sealing=Sealing(keys), keeping=keeping)

    def kept() -> Snapshot:
        found = store.load(ADA.events)
        assert found is not None
        return found

    machine = opened()
    for number in range(4):
        await machine.handle(asked(Register("ada", f"Ada-{number}", None, number), f"c{number}"))
        await rest()
    first = kept()
    assert b"Ada-" not in first.state
    await opened().handle(asked(Close("ada"), "closed"))  # goes on from it
    assert await opened().handle(asked(REGISTER, "late")) == Rejection(str(ADA), "Ada-3 is off the books")

    keys.destroy("shop.Customer.ada")
    for _ in range(2):  # read from the beginning, kept anew, and gone on from
        erased = await opened().handle(asked(REGISTER, "late"))
        assert erased == Rejection(str(ADA), f"{ERASED} is off the books")
        await rest()
    assert kept().state != first.state
    assert b'persons":[]' in kept().state
    assert await opened().handle(asked(Register("ada", "Ada-1", None, 1), "c1")) == Receipt(
        "c1", "ada", 2, "c1"
    )
