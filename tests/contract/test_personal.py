"""Personal fields out of annotations, and each thing that cannot be, by its name."""

import datetime
from typing import Annotated, Any

import pytest

from cim import ERASED, Blob, Event, Person, Personal, Record, State
from cim.contract.composition import compose
from cim.contract.personal import check_personal, personal_fields
from cim.contract.schema import fingerprint
from cim.contract.subjects import Ref
from cim.domain.context import Context
from cim.domain.errors import Misdeclared
from cim.domain.personal import PersonalMark
from cim.testing.people import Customer, CustomerId, Label, Placed, Registered, shop


class Plain(Event):
    customer: CustomerId
    level: int


class Nested(Record):
    name: Personal[str]


UNION: Any = CustomerId | None
MARK: Any = PersonalMark()


class Undeclared(State):
    pass


def event(**annotations: Any) -> type[Event]:
    return type("Said", (Event,), {"__annotations__": annotations, "__module__": __name__})


def test_what_is_personal_and_whose_is_said_by_annotations() -> None:
    own = Ref("shop", "Customer", "c1")
    found = personal_fields(Registered)
    assert found is not None
    assert dict(found.erased) == {"name": ERASED, "born": None}
    assert found.person_of(Registered("c1", "Ada", None, 1), own) == own
    of_another = personal_fields(Placed)
    assert of_another is not None
    assert of_another.person_of(Placed("o1", "c7", "x"), None) == Ref("shop", "Customer", "c7")
    assert personal_fields(Plain) is None
    assert not check_personal(Plain, "here")


def test_an_entity_knows_whether_anything_of_it_is_personal() -> None:
    kinds = compose([shop]).entities
    assert kinds["shop", "Customer"].personal
    assert kinds["shop", "Order"].personal


def test_a_mark_is_no_other_shape() -> None:
    bare = type("Registered", (Event,), {"__annotations__": {
        "customer": str, "name": str, "born": datetime.date | None, "level": int
    }})  # fmt: skip
    assert fingerprint(frozenset([Registered])) == fingerprint(frozenset([bare]))


@pytest.mark.parametrize(
    ("annotations", "said"),
    [
        (
            {"born": Annotated[datetime.date, MARK]},
            "Said.born is Personal[date], which cannot say that it was er",
        ),
        ({"age": Annotated[int, MARK]}, "write Personal[int | None]"),
        ({"names": Annotated[list[str], MARK]}, "cannot say that it was erased"),
        ({"scan": Annotated[Blob | None, MARK]}, "Said.scan is Personal and large content"),
        ({"scans": Annotated[tuple[Blob, ...] | None, MARK]}, "Said.scans is Personal and large content"),
        ({"who": Annotated[CustomerId, MARK]}, "Said.who is Personal and names the Person"),
        ({"names": list[Personal[str]]}, "Said.names has a mark inside"),
        ({"one": Nested}, "Said.one has a mark inside"),
        ({"one": Nested | None}, "Said.one has a mark inside"),
        ({"one": Annotated[Nested | None, MARK]}, "Said.one has a mark inside"),
        ({"who": UNION, "name": Personal[str]}, "Said.who has a mark inside"),
        ({"a": CustomerId, "b": CustomerId, "c": Personal[str]}, "Said names two persons, a and b"),
        ({"who": Annotated[int, Person(Customer)], "c": Personal[str]}, "the id of an entity is a str"),
        ({"who": Annotated[str, Person(Undeclared)], "c": Personal[str]}, "Undeclared is no entity"),
        ({"id": Personal[str]}, "Said.id is Personal, and it is the key"),
    ],
)
def test_what_cannot_be_is_refused_by_name(annotations: dict[str, Any], said: str) -> None:
    with pytest.raises(Misdeclared) as refused:
        check_personal(event(**annotations), "shop.Thing", "id")
    assert str(refused.value).startswith("shop.Thing: ")
    assert said in str(refused.value)


def test_a_record_that_belongs_to_no_entity_says_whose_it_is() -> None:
    with pytest.raises(Misdeclared, match="does not say whose"):
        check_personal(event(order=str, name=Personal[str]), "here", owned=False)
    assert check_personal(Label, "here", owned=False)


def test_the_machine_speaks_for_its_own_context() -> None:
    with pytest.raises(Misdeclared, match="the machine speaks for the context cim itself"):
        compose([Context("cim")])
