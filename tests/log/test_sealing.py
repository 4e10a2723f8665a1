"""Personal values sealed and opened: every type comes back, none where it was not put, none once erased."""

import asyncio
import datetime
import decimal
import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cim import ERASED, Event, Personal, Record
from cim.adapters.memory.keys import MemoryKeys
from cim.contract import codec
from cim.contract.subjects import BadToken, Ref
from cim.log.sealing import SEALED, BadSeal, Sealing, holds_sealed, is_sealed, persons_in
from cim.ports.keys import KeyLost, PersonErased
from cim.testing.people import Close, Place, Placed, Register, Registered

ADA = "evt.shop.Customer.ada"


class Address(Record):
    street: str
    number: int | None


class Everything(Event):
    """A personal field of each kind that a record can have."""

    id: str
    text: Personal[str]
    maybe: Personal[str | None]
    number: Personal[int | None]
    real: Personal[float | None]
    money: Personal[decimal.Decimal | None]
    day: Personal[datetime.date | None]
    moment: Personal[datetime.datetime | None]
    raw: Personal[bytes | None]
    several: Personal[tuple[str, ...] | None]
    named: Personal[dict[str, int] | None]
    address: Personal[Address | None]
    truth: Personal[bool | None]


texts = st.text(st.characters(codec="utf-8"), max_size=40)
everything = st.builds(
    Everything,
    id=texts,
    text=texts,
    maybe=st.none() | texts,
    number=st.none() | st.integers(-(2**63), 2**63 - 1),
    real=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    money=st.none() | st.decimals(allow_nan=False, allow_infinity=False),
    day=st.none() | st.dates(),
    moment=st.none() | st.datetimes(timezones=st.just(datetime.UTC)),
    raw=st.none() | st.binary(max_size=40),
    several=st.none() | st.lists(texts, max_size=3).map(tuple),
    named=st.none() | st.dictionaries(texts, st.integers(0, 9), max_size=3),
    address=st.none() | st.builds(Address, texts, st.none() | st.integers(0, 99)),
    truth=st.none() | st.booleans(),
)


def read(sealing: Sealing, body: bytes, kind: type[Any], subject: str = ADA) -> Any:
    (item,) = codec.unread(sealing.opened_body(subject, body))
    return codec.read(item, kind)


@given(everything)
def test_what_was_sealed_is_opened_and_reads_as_erased_later(event: Everything) -> None:
    keys = MemoryKeys()
    sealing = Sealing(keys)
    body = sealing.write(ADA, [event])
    assert read(sealing, body, Everything) == event
    keys.destroy("shop.Customer.ada")
    erased = read(sealing, body, Everything)
    read_as = {"id": event.id, "text": ERASED, "maybe": ERASED}
    assert codec.plain(erased) == {name: read_as.get(name) for name in codec.field_names(Everything)}
    assert codec.typed(codec.plain(erased), Everything) == erased


def test_no_word_of_it_stands_in_the_body() -> None:
    sealing = Sealing(MemoryKeys())
    body = sealing.write(ADA, [Registered("ada", "Ada Lovelace", datetime.date(1815, 12, 10), 3)])
    assert b"Lovelace" not in body
    assert b"1815" not in body
    assert persons_in(body) == {"shop.Customer.ada"}
    assert body != sealing.write(ADA, [Registered("ada", "Ada Lovelace", datetime.date(1815, 12, 10), 3)])


def test_short_names_are_of_one_length() -> None:
    sealing = Sealing(MemoryKeys())
    bodies = {len(sealing.write(ADA, [Registered("ada", name, None, 3)])) for name in ("Bo", "Wilhelmina")}
    assert len(bodies) == 1


def test_the_person_is_the_one_that_is_named_beside_it() -> None:
    sealing = Sealing(MemoryKeys())
    body = sealing.write(
        "evt.shop.Order.o1", [Placed("o1", "ada", "1 Main St"), Placed("o1", "bob", "2 Elm")]
    )
    assert persons_in(body) == {"shop.Customer.ada", "shop.Customer.bob"}
    sealing.forget("shop.Customer.ada")
    first, second = codec.decode(sealing.opened_body("evt.shop.Order.o1", body))
    assert (first.data["address"], second.data["address"]) == (ERASED, "2 Elm")


Move = Callable[[dict[str, Any], dict[str, Any]], None]


@pytest.mark.parametrize(
    "move",
    [
        lambda data, other: data.update(name=data["born"]),
        lambda data, other: data.update(name=other["name"]),
        lambda data, other: data["name"].update(person="shop.Customer.bob"),
        lambda data, other: data["name"].update({SEALED: "AAAA" + data["name"][SEALED][4:]}),
        lambda data, other: data["name"].update({SEALED: data["name"][SEALED][:-4]}),
        lambda data, other: data["name"].update({SEALED: ""}),
        lambda data, other: data["name"].update({SEALED: "no base64"}),
        lambda data, other: data["name"].update({SEALED: 7}),
    ],
    ids=["field", "other person", "named other", "changed", "cut", "empty", "no base64", "number"],
)
def test_a_ciphertext_that_was_moved_or_changed_does_not_open(move: Move) -> None:
    sealing = Sealing(MemoryKeys())
    day = datetime.date(2000, 1, 1)
    body = sealing.write(ADA, [Registered("ada", "Ada", day, 1)])
    other = sealing.write("evt.shop.Customer.bob", [Registered("bob", "Bob", day, 1)])
    (item,) = codec.decode(body)
    move(item.data, codec.decode(other)[0].data)
    with pytest.raises(BadSeal, match=r"Registered\.name on evt\.shop\.Customer\.ada does not"):
        sealing.opened_body(ADA, codec.encode([item]))


def test_a_ciphertext_does_not_open_on_another_subject_or_in_another_type() -> None:
    sealing = Sealing(MemoryKeys())
    (item,) = codec.decode(sealing.write(ADA, [Registered("ada", "Ada", None, 1)]))
    with pytest.raises(BadSeal, match=r"cmp\.shop\.Customer\.ada\.shop"):
        sealing.opened_body("cmp.shop.Customer.ada.shop", codec.encode([item]))
    with pytest.raises(BadSeal, match=r"Closed\.name"):
        sealing.opened_body(ADA, codec.encode([replace(item, type="Closed")]))


def test_a_lost_key_is_named_and_no_fresh_one_takes_its_place() -> None:
    body = Sealing(MemoryKeys()).write(ADA, [Registered("ada", "Ada", None, 1)])
    keys = MemoryKeys()
    sealing = Sealing(keys)
    for _ in range(2):
        with pytest.raises(KeyLost, match=r"the key of shop\.Customer\.ada is not in the store"):
            sealing.opened_body(ADA, body)
        with pytest.raises(KeyLost, match="put the store back"):
            sealing.write(ADA, [Registered("ada", "Ada", None, 1)])
    assert keys.find("shop.Customer.ada") is None
    sealing.forget("shop.Customer.ada")
    assert read(sealing, body, Registered) == Registered("ada", ERASED, None, 1)


def test_nothing_new_is_sealed_for_who_was_erased_but_what_reads_as_erased_is_written() -> None:
    keys = MemoryKeys()
    keys.destroy("shop.Customer.ada")
    for sealing in (Sealing(keys), Sealing(MemoryKeys())):
        sealing.forget("shop.Customer.ada")
        with pytest.raises(PersonErased, match="needs an id of its own"):
            sealing.write(ADA, [Registered("ada", "Ada", None, 1)])
        again = Registered("ada", ERASED, None, 1)
        assert read(sealing, sealing.write(ADA, [again]), Registered) == again
        late = sealing.item(ADA, Registered("ada", "Ada", datetime.date(2000, 1, 1), 1), late=True)
        assert late.data == {"customer": "ada", "name": ERASED, "born": None, "level": 1}


def test_what_has_nothing_personal_is_written_as_ever() -> None:
    records = [Close("ada"), Close("bob")]
    assert Sealing().write(ADA, records) == codec.write(records)
    body = codec.write(records)
    assert Sealing().opened_body(ADA, body) is body


class Loose(Event):
    data: dict[str, Any]


class LoosePersonal(Event):
    data: dict[str, Any]
    name: Personal[str]


def test_only_the_machine_makes_the_form_of_a_sealed_value() -> None:
    form = {SEALED: "", "person": "shop.Customer.eve", "erased": None}
    assert is_sealed(form)
    for event in (Loose({"cim.sealed": 1}), LoosePersonal(form, "Ada")):
        with pytest.raises(BadSeal, match="as only the machine names one"):
            Sealing(MemoryKeys()).write(ADA, [event])
    assert not holds_sealed(codec.write([Loose({"text": '"cim.sealed":'})]))


def test_a_person_without_a_name_that_can_be_kept_is_refused() -> None:
    with pytest.raises(BadToken, match=r"the id of the person shop\.Customer"):
        Sealing(MemoryKeys()).write("evt.shop.Order.o1", [Placed("o1", "Ada Lovelace", "x")])


REQUEST = "Register/5f00"


def test_a_command_is_told_from_another_and_its_digest_cannot_be_guessed() -> None:
    sealing = Sealing(MemoryKeys())
    asked = Register("ada", "Ada")
    stored = sealing.request(ADA, asked, REQUEST)
    assert stored.startswith("Register/~")
    assert "5f00" not in stored
    assert sealing.is_same(stored, ADA, asked, REQUEST)
    assert not sealing.is_same(stored, ADA, asked, "Register/5f01")
    assert not sealing.is_same(stored, ADA, Close("ada"), "Close/5f00")
    assert sealing.request(ADA, asked, REQUEST) == stored
    assert Sealing(MemoryKeys()).request(ADA, asked, REQUEST) != stored


def test_once_erased_name_and_id_stand_for_a_command() -> None:
    keys = MemoryKeys()
    sealing = Sealing(keys)
    stored = sealing.request(ADA, Register("ada", "Ada"), REQUEST)
    keys.destroy("shop.Customer.ada")
    assert sealing.is_same(stored, ADA, Register("ada", "Ada"), REQUEST)
    assert not sealing.is_same(stored, ADA, Close("ada"), "Close/5f00")
    with pytest.raises(PersonErased):
        sealing.request(ADA, Register("ada", "Ada"), REQUEST)


def test_a_command_without_a_personal_value_keeps_its_digest() -> None:
    sealing = Sealing()
    for command in (Close("ada"), Register("ada", ERASED), Place("o1", "ada", ERASED)):
        digest = f"{type(command).__name__}/5f00"
        assert sealing.request(ADA, command, digest) == digest
        assert sealing.is_same(digest, ADA, command, digest)
        assert not sealing.is_same(None, ADA, command, digest)


def test_without_a_store_it_neither_seals_nor_opens() -> None:
    body = Sealing(MemoryKeys()).write(ADA, [Registered("ada", "Ada", None, 1)])
    with pytest.raises(KeyLost):
        Sealing().opened_body(ADA, body)
    with pytest.raises(KeyLost):
        Sealing().write(ADA, [Registered("ada", "Ada", None, 1)])
    assert Sealing().sealed("here", Ref("a", "B", "c"), None) == {"context": "a", "entity": "B", "id": "c"}


class SlowKeys(MemoryKeys):
    """Tells what is made at once, and lets others ask meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[set[str]] = []
        self.asked, self.go_on = threading.Event(), threading.Event()

    def prepare(self, persons: Collection[str]) -> None:
        self.batches.append(set(persons))
        self.asked.set()
        self.go_on.wait(10)
        super().prepare(persons)


async def test_keys_that_many_need_at_a_time_are_made_at_once() -> None:
    keys = SlowKeys()
    sealing = Sealing(keys)

    async def write(id: str) -> bytes:
        subject, record = f"evt.shop.Customer.{id}", Registered(id, "Name", None, 1)
        await sealing.prepare(subject, [record, Close(id)])
        assert keys.find(f"shop.Customer.{id}") is not None
        return sealing.write(subject, [record])

    tasks = [asyncio.create_task(write(f"c{number}")) for number in range(20)]
    await asyncio.to_thread(keys.asked.wait, 10)
    keys.go_on.set()
    await asyncio.gather(*tasks)
    assert len(keys.batches) <= 2
    assert len(set.union(*keys.batches)) == 20
    await sealing.prepare("evt.shop.Customer.c1", [Registered("c1", "Name", None, 1)])
    await sealing.prepare("evt.shop.Customer.new", [Registered("new", ERASED, None, 1)])
    assert len(keys.batches) <= 2
