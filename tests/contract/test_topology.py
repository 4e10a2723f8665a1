"""The graph of a machine out of its annotations: each kind of node and of edge, and what is told of it."""

from collections.abc import Iterable
from typing import Annotated, Any, Protocol

import pytest

from cim import (
    Cancel,
    Capability,
    Changed,
    Command,
    Component,
    Context,
    Event,
    Key,
    Later,
    Maybe,
    Process,
    Rejected,
    Row,
    Rows,
    State,
    Table,
    Timer,
    Where,
    With,
    Without,
)
from cim.contract.composition import compose
from cim.contract.topology.derived import Look, Provider, topology
from cim.contract.topology.graph import Edge, Topology
from cim.contract.topology.mermaid import SHAPES, mermaid
from cim.contract.topology.notes import never
from cim.contract.topology.text import text

shop = Context("shop")


class Fill(Command):
    """Put goods on the shelf."""

    shelf: str


class Move(Command):
    """Carry goods from one shelf to another."""

    source: str
    target: str


class Filled(Event):
    """Goods came."""

    shelf: str


class Emptied(Event):
    """Goods went.

    Only a move takes them away.
    """

    shelf: str


class Burnt(Event):
    shelf: str


@shop.entity(key="shelf")
class Shelf(State):
    """Holds goods."""

    def decide(self, command: Fill) -> Iterable[Filled]:
        return [Filled(command.shelf)]

    def evolve(self, event: Filled | Emptied | Burnt) -> "Shelf":
        return self


@shop.rule
def move(command: Move, source: Shelf, target: Shelf) -> tuple[Iterable[Emptied], Iterable[Filled]]:
    """All or nothing."""
    return [], []


class Scale(Capability, Protocol):
    """Weighs."""

    def weigh(self) -> float: ...


class Floor(Capability, Protocol):
    """Bears."""


@shop.component(of=Shelf)
class Weight(Component):
    """What it weighs."""

    grams: float = 0.0

    def correct(self, event: Filled) -> "Weight":
        return self


@shop.component(of=Shelf)
class Price(Component):
    cents: int


@shop.system
def weigh(shelf: Changed[Shelf], scale: Scale, before: Maybe[Weight]) -> Weight:
    """Weigh it."""
    return Weight(scale.weigh())


@shop.system
def price(weight: Changed[Weight], shelf: Shelf) -> Price:
    return Price(1)


@shop.policy
def refill(event: Emptied | Burnt) -> Fill:
    """What is empty is filled."""
    return Fill(event.shelf)


class Late(Timer):
    """Nobody came."""

    shelf: str


class Noted(Event):
    """It was written down."""

    shelf: str


@shop.process(key="shelf")
class Watch(Process):
    """Looks after a shelf."""

    def react(
        self, trigger: Filled | Late | Rejected[Fill]
    ) -> Iterable[Noted | Fill | Later[Late] | Cancel[Late]]:
        return []

    def evolve(self, fact: Noted) -> "Watch":
        return self


class Count(Row):
    shelf: Key[str]
    times: int


@shop.projection
def counts(event: Filled, rows: Table[Count]) -> None:
    """How often each was filled."""


@shop.query
def busy(rows: Rows[Count]) -> list[str]:
    """The shelves that are filled often."""
    return []


@shop.view
def board() -> None:
    """All shelves."""


late = Context("late")


@late.component(of=Shelf)
class Dust(Component):
    """How much lies on it."""

    grams: float


@late.system
def dust(price: Changed[Price], no: Without[Dust]) -> Dust:
    """Look closely."""
    return Dust(0.1)


PROVIDERS = (
    Provider("Scale", "scales:Exact", "Exact to a gram.", (Floor,)),
    Provider("Floor", "floors:Oak"),
)
BOARD = {"shop.board": Look(Shelf, "each", (Weight,), others=True, sends=("shop.Fill",))}
SHELF = "entity shop.Shelf"


def whole() -> Topology:
    return topology(compose([shop, late]), PROVIDERS, BOARD)


def edges(graph: Topology, source: str) -> set[tuple[str, str, str | None]]:
    return {(edge.kind, edge.target, edge.by) for edge in graph.edges if edge.source == source}


def test_each_kind_of_node_has_its_name_its_owner_and_the_first_line_of_its_docstring() -> None:
    graph = whole()
    told = {(node.kind, node.name, node.owner, node.doc, node.of) for node in graph.nodes}
    process = "process shop.Watch"
    assert told == {
        ("module", "shop", "shop", "", None),
        ("module", "late", "late", "", None),
        ("entity", "shop.Shelf", "shop", "Holds goods.", None),
        ("command", "shop.Fill", "shop", "Put goods on the shelf.", SHELF),
        ("command", "shop.Move", "shop", "Carry goods from one shelf to another.", SHELF),
        ("event", "shop.Shelf.Filled", "shop", "Goods came.", SHELF),
        ("event", "shop.Shelf.Emptied", "shop", "Goods went.", SHELF),
        ("event", "shop.Shelf.Burnt", "shop", "", SHELF),
        ("rule", "shop.move", "shop", "All or nothing.", None),
        ("component", "shop.Weight", "shop", "What it weighs.", SHELF),
        ("component", "shop.Price", "shop", "", SHELF),
        ("component", "late.Dust", "late", "How much lies on it.", SHELF),
        ("system", "shop.weigh", "shop", "Weigh it.", None),
        ("system", "shop.price", "shop", "", None),
        ("system", "late.dust", "late", "Look closely.", None),
        ("policy", "shop.refill", "shop", "What is empty is filled.", None),
        ("process", "shop.Watch", "shop", "Looks after a shelf.", None),
        ("timer", "shop.Watch.Late", "shop", "Nobody came.", process),
        ("event", "shop.Watch.Noted", "shop", "It was written down.", process),
        ("projection", "shop.counts", "shop", "How often each was filled.", None),
        ("query", "shop.busy", "shop", "The shelves that are filled often.", None),
        ("view", "shop.board", "shop", "All shelves.", None),
        ("capability", "Scale", None, "Weighs.", None),
        ("provider", "scales:Exact", None, "Exact to a gram.", "capability Scale"),
        ("provider", "floors:Oak", None, "", "capability Floor"),
        ("capability", "Floor", None, "Bears.", None),
    }
    assert len({node.id for node in graph.nodes}) == len(graph.nodes)
    assert all(node.here for node in graph.nodes)


WEIGHT, PRICE = "component shop.Weight of shop.Shelf", "component shop.Price of shop.Shelf"
DUST = "component late.Dust of shop.Shelf"
FILL, FILLED, EMPTIED = "command shop.Fill", "event shop.Shelf.Filled", "event shop.Shelf.Emptied"
EXACT = "provider scales:Exact of Scale"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (SHELF, {("takes", FILL, None), ("emits", FILLED, None)}),
        (
            "rule shop.move",
            {
                ("takes", "command shop.Move", None),
                ("reads", SHELF, None),
                ("emits", EMPTIED, None),
                ("emits", FILLED, None),
            },
        ),
        (WEIGHT, {("takes", FILLED, "correct")}),
        (
            "system shop.weigh",
            {
                ("reads", SHELF, "changed"),
                ("reads", WEIGHT, "maybe"),
                ("needs", "capability Scale", None),
                ("writes", WEIGHT, None),
            },
        ),
        (
            "system shop.price",
            {("reads", WEIGHT, "changed"), ("reads", SHELF, "has"), ("writes", PRICE, None)},
        ),
        (
            "system late.dust",
            {("reads", PRICE, "changed"), ("reads", DUST, "without"), ("writes", DUST, None)},
        ),
        (
            "policy shop.refill",
            {("takes", EMPTIED, None), ("takes", "event shop.Shelf.Burnt", None), ("sends", FILL, None)},
        ),
        (
            "process shop.Watch",
            {
                ("takes", FILLED, None),
                ("takes", "timer shop.Watch.Late", None),
                ("takes", FILL, "rejected"),
                ("sends", FILL, None),
                ("sends", "timer shop.Watch.Late", None),
                ("emits", "event shop.Watch.Noted", None),
            },
        ),
        ("projection shop.counts", {("folds", FILLED, None)}),
        ("query shop.busy", {("reads", "projection shop.counts", None)}),
        (
            "view shop.board",
            {
                ("shows", SHELF, "each"),
                ("shows", WEIGHT, "maybe"),
                ("shows", PRICE, "others"),
                ("shows", DUST, "others"),
                ("sends", FILL, None),
            },
        ),
        ("capability Scale", {("bound", EXACT, None)}),
        (EXACT, {("needs", "capability Floor", None)}),
    ],
)
def test_each_kind_of_edge(source: str, told: set[tuple[str, str, str | None]]) -> None:
    assert edges(whole(), source) == told


def test_the_data_has_every_node_every_edge_and_every_note() -> None:
    graph = whole()
    data = graph.as_data()
    assert list(data) == ["version", "nodes", "edges", "notes"]
    assert data["nodes"][1] == {
        "id": SHELF,
        "kind": "entity",
        "name": "shop.Shelf",
        "owner": "shop",
        "doc": "Holds goods.",
        "of": None,
        "here": True,
    }
    assert data["edges"][0] == {"kind": "takes", "from": SHELF, "to": FILL, "by": None}
    assert len(data["nodes"]) == len(graph.nodes)
    assert len(data["edges"]) == len(graph.edges)
    ids = {node["id"] for node in data["nodes"]}
    assert {end for edge in data["edges"] for end in (edge["from"], edge["to"])} <= ids
    assert {one["of"] for one in data["nodes"]} - {None} <= ids
    assert data["notes"] == [
        {
            "kind": "unemitted",
            "about": "policy shop.refill",
            "text": "shop.refill takes shop.Shelf.Burnt, which nothing here emits",
        },
    ]


TEXT = """\
machine corner

module shop

  entity Shelf: Holds goods.
    takes Fill     from process Watch, policy refill, view board
    takes Move     by rule move
    emits Filled   to component Weight, process Watch, projection counts
    emits Emptied  to policy refill
    knows Burnt    to policy refill
    carries Weight, Price, late.Dust

  component  of     → by     → read by
  Weight     Shelf  → weigh  → weigh, price, board
  Price      Shelf  → price  → late.dust, board

  rule  takes  → reads  → emits
  move  Move   → Shelf  → Shelf.Emptied, Shelf.Filled

  system  reads                   → needs  → writes
  weigh   on Shelf, maybe Weight  → Scale  → Weight
  price   on Weight, Shelf                 → Price

  policy  takes                       → sends
  refill  Shelf.Emptied, Shelf.Burnt  → Fill

  process  takes                                    → emits        → sends
  Watch    Watch.Late, Shelf.Filled, rejected Fill  → Watch.Noted  → Watch.Late, Fill

  projection  folds
  counts      Shelf.Filled

  query  reads
  busy   counts

  view   shows                                 → sends
  board  each Shelf, Weight, Price, late.Dust  → Fill

module late

  component  of          → by    → read by
  Dust       shop.Shelf  → dust  → dust, shop.board

  system  reads                        → writes
  dust    on shop.Price, without Dust  → Dust

capability  bound to      needs
Scale       scales:Exact  Floor
Floor       floors:Oak

note: shop.refill takes shop.Shelf.Burnt, which nothing here emits
"""


def test_the_text_says_what_reads_what_and_who_hears_what() -> None:
    assert text(whole(), "corner", ["shop", "late"]) == TEXT


def test_one_module_is_shown_with_what_it_touches() -> None:
    part = whole().only(["late"])
    assert [node.id for node in part.nodes] == [
        "module shop",
        SHELF,
        PRICE,
        "view shop.board",
        "module late",
        DUST,
        "system late.dust",
    ]
    assert Edge("shows", "view shop.board", PRICE, "others") not in part.edges
    assert part.notes == ()
    weighed = whole().only(["shop"])
    assert {"capability Scale", EXACT, "capability Floor"} <= {node.id for node in weighed.nodes}


def test_every_kind_has_a_shape_and_every_node_and_edge_is_drawn() -> None:
    graph = whole()
    drawn = mermaid(graph)
    assert drawn.startswith('flowchart LR\n  subgraph n1["shop"]\n    n2["Shelf"]\n')
    assert drawn.count("-->") + drawn.count(".->") == len(graph.edges)
    assert {node.kind for node in graph.nodes} - {"module"} == set(SHAPES) - {"agent"}  # see test_agent.py
    for node in graph.nodes:
        assert f"n{graph.nodes.index(node) + 1}" in drawn
    numbers = {node.id: f"n{number}" for number, node in enumerate(graph.nodes, 1)}
    assert f"  {numbers[FILL]} --> {numbers[SHELF]}\n" in drawn  # the way that data goes
    assert f"  {numbers[WEIGHT]} -. maybe .-> {numbers['system shop.weigh']}\n" in drawn
    assert f"  {numbers['system shop.weigh']} -.-> {numbers['capability Scale']}\n" in drawn


def alone(*systems: Any, components: Iterable[type[Component]] = (Weight, Price)) -> Context:
    """The shop with these systems and components and nothing that reacts."""
    context = Context("shop")
    context.entities = shop.entities
    context.components = [one for one in shop.components if one.component in tuple(components)]
    for system in systems:
        context.system(system)
    return context


def weighed(shelf: Changed[Shelf]) -> Weight:
    return Weight(1.0)


def priced(shelf: Changed[Shelf], weight: With[Weight]) -> Price:
    return Price(1)


def test_a_system_that_waits_for_what_nothing_writes_is_told() -> None:
    def dear(price: Changed[Price]) -> Weight:
        return Weight(1.0)

    made = compose([alone(dear)])
    why = "it waits for shop.Price of shop.Shelf, which nothing here writes"
    assert never(made) == {"shop.dear": f"shop.dear cannot run on anything new: {why}"}
    told = topology(made).notes
    assert [(one.kind, one.about) for one in told][:1] == [("never", "system shop.dear")]
    assert "shop.Price of shop.Shelf is read by shop.dear and written by nothing here" in [
        one.text for one in told
    ]


def test_what_waits_for_a_system_that_never_runs_never_runs_either() -> None:
    def dear(price: Changed[Price]) -> Dust:
        return Dust(1.0)

    def cheap(dust: Dust, shelf: Changed[Shelf]) -> Price:
        return Price(1)

    context = alone(cheap)
    other = Context("late")
    other.components, other.systems = late.components, [dear]
    why = never(compose([context, other]))
    assert why.keys() == {"shop.cheap", "late.dear"}
    assert "late.Dust of shop.Shelf, which late.dear writes, which cannot run either" in why["shop.cheap"]


def test_what_a_person_can_say_is_not_waited_for_in_vain() -> None:
    assert never(compose([alone(priced)])) == {}  # a Weight has defaults and a `correct`


def test_what_is_only_looked_for_keeps_nobody_waiting() -> None:
    def look(shelf: Changed[Shelf], price: Maybe[Price], no: Without[Dust]) -> Weight:
        return Weight(1.0)

    assert never(compose([alone(look)])) == {}


def test_a_component_of_a_module_that_is_not_here_may_come() -> None:
    made = compose([late])
    assert never(made) == {}
    graph = topology(made)
    assert not graph.node(PRICE).here
    assert not graph.node(SHELF).here  # what its components are of is drawn, too
    assert {node.of for node in graph.nodes} - {None} <= {node.id for node in graph.nodes}
    assert [one.text for one in graph.notes] == [
        "late.dust reads shop.Price of shop.Shelf, and the module shop is not here",
        "late.Dust of shop.Shelf is written by late.dust and read by nothing here but `cim show`",
    ]
    assert 'subgraph s1["shop, which is not here"]' in mermaid(graph)


def test_a_policy_that_takes_what_nothing_emits_is_told() -> None:
    context = alone()

    def mourn(event: Burnt) -> Fill:
        return Fill(event.shelf)

    context.policy(mourn)
    made = compose([context])
    why = "shop.mourn hears nothing new: nothing here emits shop.Shelf.Burnt"
    assert never(made) == {"shop.mourn": why}
    assert ("never", "policy shop.mourn") in [(one.kind, one.about) for one in topology(made).notes]


def test_dead_outputs_are_told_and_not_refused() -> None:
    made = compose([alone(weighed, priced)])
    assert [(one.kind, one.text) for one in topology(made).notes] == [
        (
            "unread",
            "shop.Price of shop.Shelf is written by shop.priced and read by nothing here but `cim show`",
        )
    ]
    made.contexts[0].view(board)
    shown = {"shop.board": Look(Shelf, "each", (), others=True)}
    assert topology(made, looks=shown).notes == ()
    assert [one.text for one in topology(compose([alone()])).notes] == [
        "shop.Weight of shop.Shelf is made by people's commands and read by nothing here but `cim show`",
        "shop.Price of shop.Shelf is neither written nor read by anything here",
    ]


def test_a_system_that_reads_only_its_own_output_is_no_reader_of_it() -> None:
    def again(shelf: Changed[Shelf], before: Maybe[Price]) -> Price:
        return Price(1)

    (note,) = topology(compose([alone(again, components=[Price])])).notes
    assert (note.kind, note.about) == ("unread", PRICE)


def test_components_of_one_name_on_two_entities_are_two_nodes() -> None:
    yard = Context("yard")

    class Dig(Command):
        pit: str

    class Dug(Event):
        pit: str

    class Pit(State):
        def decide(self, command: Dig) -> Iterable[Dug]:
            return []

        def evolve(self, event: Dug) -> "Pit":
            return self

    Pit.decide.__annotations__ = {"command": Dig, "return": Iterable[Dug]}
    Pit.evolve.__annotations__ = {"event": Dug}
    yard.entity(key="pit")(Pit)
    yard.component(of=Pit)(type("Depth", (Component,), {}))
    yard.component(of=Shelf)(type("Depth", (Component,), {}))
    ids = [node.id for node in topology(compose([yard])).nodes if node.kind == "component"]
    assert ids == ["component yard.Depth of yard.Pit", "component yard.Depth of shop.Shelf"]


def test_what_is_filtered_by_is_in_the_data_the_text_and_the_picture() -> None:
    extra = Context("extra")

    @extra.component(of=Shelf)
    class Light(Component):
        """Weighs little."""

    @extra.system
    def light(weight: Annotated[Changed[Weight | None], Where("grams", "<", 10)]) -> Light:
        return Light()

    graph = topology(compose([shop, extra]))
    (edge,) = [one for one in graph.as_data()["edges"] if "where" in one]
    assert (edge["by"], edge["where"]) == ("follows", "grams < 10.0")
    assert "follows shop.Weight where grams < 10.0" in text(graph, "corner", ["extra"])
    assert '-- "follows where grams < 10.0" -->' in mermaid(graph)
