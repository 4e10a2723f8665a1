"""Relations out of annotations: what leads where, and each thing that cannot be, by its name."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Protocol

import pytest

from cim import (
    Added,
    Capability,
    Changed,
    Command,
    Component,
    Context,
    Event,
    Maybe,
    Person,
    Personal,
    Refers,
    Removed,
    State,
    Via,
    Where,
    With,
    Without,
)
from cim.contract.composition import compose
from cim.contract.relation import references
from cim.contract.schema import fingerprint
from cim.contract.subjects import Ref
from cim.contract.system import STATE, read_component, read_system
from cim.contract.topology.derived import topology
from cim.contract.topology.mermaid import mermaid
from cim.contract.topology.text import text
from cim.domain.errors import Misdeclared

shop, people, parks = Context("shop"), Context("people"), Context("parks")


class Do(Command):
    id: str


class Done(Event):
    id: str


def _decide(self: State, command: Do) -> Iterable[Done]:
    return [Done(command.id)]


def _evolve(self: Any, event: Done) -> Any:
    return self


@people.entity(key="id")
class Customer(State):
    """Who buys."""

    name: str = ""
    decide, evolve = _decide, _evolve


@people.component(of=Customer)
class Credit(Component):
    limit: int = 0


@parks.entity(key="id")
class Park(State):
    """Nothing leads there."""

    decide, evolve = _decide, _evolve


@shop.entity(key="id")
class Order(State):
    """What was bought."""

    customer: Annotated[str | None, Refers(Customer)] = None
    decide, evolve = _decide, _evolve


@shop.component(of=Order)
class Parties(Component):
    buyer: Annotated[str, Refers(Customer)]
    seller: Annotated[str, Refers(Customer)] = "house"
    before: Annotated[str, Refers(Order)] | None = None


@shop.component(of=Order)
class Terms(Component):
    days: int


class Weigh(Capability, Protocol):
    def weigh(self) -> int: ...


def one(order: Order, credit: Changed[Credit]) -> Terms:
    return Terms(1)


def by_field(parties: Changed[Parties], credit: Annotated[Changed[Credit], Via("buyer")]) -> Terms:
    return Terms(1)


def by_parameter(
    order: Changed[Order],
    parties: Parties,
    credit: Annotated[Changed[Credit | None], Via("parties.seller"), Where("limit", ">", 3)],
    customer: Annotated[Maybe[Customer], Via("order.customer")],
) -> Terms:
    return Terms(1)


def of_its_kind(parties: Changed[Parties], before: Annotated[Changed[Order], Via("before")]) -> Terms:
    return Terms(1)


@pytest.mark.parametrize(
    ("function", "parameter", "name", "of"),
    [
        (one, "order", "state", ("shop", "Order")),
        (one, "credit", "state.customer>Credit@", ("people", "Customer")),
        (by_field, "credit", "Parties.buyer>Credit@", ("people", "Customer")),
        (by_parameter, "credit", "Parties.seller>Credit@", ("people", "Customer")),
        (by_parameter, "customer", "state.customer>state@", ("people", "Customer")),
        (of_its_kind, "before", "Parties.before>state@", ("shop", "Order")),
    ],
)
def test_a_parameter_of_another_entity_is_read_across_the_field_that_leads_there(
    function: Callable[..., Any], parameter: str, name: str, of: tuple[str, str]
) -> None:
    system = read_system("shop", function)
    (read,) = (read for read in system.reads if read.parameter == parameter)
    assert (read.name, read.of) == (name, of)
    assert system.of == ("shop", "Order")


def test_what_triggers_is_told_with_the_entity_that_carries_it() -> None:
    assert read_system("shop", one).triggers == {(("people", "Customer"), "Credit")}
    assert read_system("shop", of_its_kind).triggers == {
        (("shop", "Order"), STATE),
        (("shop", "Order"), "Parties"),
    }


def test_a_record_and_its_plain_data_lead_to_the_same_entity() -> None:
    relation = read_system("shop", by_field).reads[1].relation
    assert relation is not None
    assert (
        relation.target(Parties("c1")) == relation.target({"buyer": "c1"}) == Ref("people", "Customer", "c1")
    )
    assert relation.target({"buyer": None}) is relation.target({}) is None
    seller = read_system("shop", by_parameter).reads[2].relation
    assert seller is not None
    assert seller.target({}) == Ref("people", "Customer", "house")


def test_a_person_is_referred_to_and_a_mark_is_no_other_shape() -> None:
    class Letter(Component):
        to: Annotated[str, Person(Customer)]
        text: Personal[str]

    assert references(Letter)["to"].state is Customer

    class Parties(Component):
        buyer: str
        seller: str = "house"
        before: str | None = None

    assert fingerprint(frozenset([Parties])) == fingerprint(frozenset([globals()["Parties"]]))


def no_field(parties: Parties, park: Changed[Park]) -> Terms:
    return Terms(1)


def several(parties: Parties, credit: Changed[Credit]) -> Terms:
    return Terms(1)


def no_such(parties: Parties, credit: Annotated[Changed[Credit], Via("payer")]) -> Terms:
    return Terms(1)


def not_given(
    parties: Without[Parties], order: Changed[Order], p: Annotated[With[Order], Via("before")]
) -> Terms:
    return Terms(1)


def came(order: Order, credit: Added[Credit]) -> Terms:
    return Terms(1)


def went(order: Order, credit: Removed[Credit]) -> Terms:
    return Terms(1)


def two_ways(parties: Parties, credit: Annotated[Changed[Credit], Via("buyer"), Via("seller")]) -> Terms:
    return Terms(1)


def at_hand(order: Changed[Order], scale: Annotated[Weigh, Via("buyer")]) -> Terms:
    return Terms(1)


def there_and_not(order: Order, credit: Changed[Credit], none: Without[Credit]) -> Terms:
    return Terms(1)


def itself(parties: Parties, before: Annotated[Changed[Terms], Via("before")]) -> Terms:
    return Terms(1)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (no_field, r"leads to parks.Park, of which parameter `park` is: .*Refers\(Park\)"),
        (several, r"`credit`: parties.buyer, parties.seller all lead to people.Customer: say by which"),
        (no_such, r"`credit`: Via\('payer'\) is none of parties.buyer, parties.seller"),
        (not_given, "no field that it is given leads to shop.Order, of which parameter `p` is"),
        (came, r"Added and Removed are not offered: Changed\[Credit \| None\]"),
        (went, r"Added and Removed are not offered: Changed\[Credit \| None\]"),
        (two_ways, "parameter `credit` carries two Via: a relation goes by one field"),
        (at_hand, "parameter `scale` is a capability, which no entity has: leave Via away"),
        (there_and_not, "waits for Credit and asks for entities without it"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(function: Callable[..., Any], said: str) -> None:
    with pytest.raises(Misdeclared, match=said):
        read_system("shop", function)


def test_a_field_that_cannot_lead_anywhere_is_refused_with_its_component() -> None:
    class Unknown(State):
        """No context declared it."""

    def component(annotation: Any) -> type[Component]:
        kind: type[Component] = type("Odd", (Component,), {"__annotations__": {"field": annotation}})
        return shop.component(of=Order)(kind)

    for annotation, said in (
        (Annotated[int, Refers(Customer)], "Odd.field refers and is no `str`"),
        (Annotated[list[str], Refers(Customer)], "Odd.field refers and is no `str`"),
        (Annotated[Personal[str], Refers(Customer)], "Odd.field is Personal and refers"),
        (Annotated[str, Refers(Customer), Refers(Park)], "Odd.field names two entities"),
        (Annotated[str, Refers(Unknown)], "Odd.field: Unknown is no entity"),
    ):
        with pytest.raises(Misdeclared, match=said):
            read_component(component(annotation), "shop")
        shop.components.pop()


def _composed(*systems: Callable[..., Any]) -> Any:
    made = Context("shop")
    made.entities, made.components, made.systems = shop.entities, shop.components, list(systems)
    return compose([made, people])


def test_systems_that_wake_each_other_across_a_relation_are_refused() -> None:
    with pytest.raises(Misdeclared, match=r"wake each other in a circle: shop.itself → shop.itself"):
        _composed(itself)


def test_the_state_of_an_entity_whose_module_is_not_here_is_refused() -> None:
    def named(order: Order, customer: Changed[Customer]) -> Terms:
        return Terms(1)

    made = Context("shop")
    made.entities, made.components, made.systems = shop.entities, shop.components, [named]
    with pytest.raises(
        Misdeclared, match=r"shop.named reads people.Customer, and the module people is not here"
    ):
        compose([made])


def test_the_topology_shows_what_leads_where_and_what_is_read_across() -> None:
    graph = topology(_composed(by_parameter))
    shown = text(graph, "m", ["shop", "people"])
    assert "is named by shop.Order.customer, shop.Parties.buyer, shop.Parties.seller" in shown
    assert "follows people.Credit via Parties.seller where limit > 3" in shown
    assert "maybe people.Customer via state.customer" in shown
    edges = graph.as_data()["edges"]
    assert {
        "kind": "refers",
        "from": "entity shop.Order",
        "to": "entity people.Customer",
        "by": "customer",
    } in edges
    assert [edge["via"] for edge in edges if "via" in edge] == ["Parties.seller", "state.customer"]
    assert '"follows via Parties.seller where limit > 3"' in mermaid(graph)
    assert "-. buyer .->" in mermaid(graph)
