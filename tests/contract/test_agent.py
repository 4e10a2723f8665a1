"""Agents out of their signatures, and each thing that cannot be, by its name."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

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
    Record,
    Row,
    Rows,
    State,
    Table,
    Think,
)
from cim.contract import codec
from cim.contract.answer import object_schema, read_answer
from cim.contract.composition import Composition, compose
from cim.contract.topology.derived import topology
from cim.contract.topology.mermaid import mermaid
from cim.contract.topology.text import text
from cim.domain.errors import Misdeclared

post = Context("post")


class Send(Command):
    """Send a letter."""

    letter: str
    copies: int = 1


class Sent(Event):
    letter: str


@post.entity(key="letter")
class Letter(State):
    """A letter."""

    copies: int = 0

    def decide(self, command: Send) -> Iterable[Sent]:
        return [Sent(command.letter)]

    def evolve(self, event: Sent) -> "Letter":
        return self.but(copies=self.copies + 1)


@post.component(of=Letter)
class Tone(Component):
    """How it sounds."""

    tone: str


@post.component(of=Letter)
class Topic(Component):
    topic: str


class Count(Row):
    name: Key[str]
    letters: int = 0


class Inner(Record):
    deep: int


class Outer(Record):
    """Holds another."""

    inner: Inner
    others: tuple[Inner, ...] = ()


def counts(event: Sent, rows: Table[Count]) -> None: ...


def how_many(name: str, rows: Rows[Count], most: int = 3) -> int:
    """How many there are."""
    return most


post.projection(counts)
post.query(how_many)


def put_together(function: Callable[..., Any], *tools: Any, budget: Budget | None = None) -> Composition:
    """The module with this agent beside what it has."""
    made = Context("post")
    made.entities, made.components = post.entities, post.components
    made.projections, made.queries = post.projections, post.queries
    made.agent(tools=tools, budget=budget)(function)
    return compose([made])


async def judge(letter: Changed[Letter], think: Think[Tone]) -> Tone:
    """You judge."""
    return await think(letter)


def test_an_agent_is_a_system_with_terms() -> None:
    (system,) = put_together(judge, Send, how_many, budget=Budget(requests=2)).systems
    terms = system.agent
    assert terms is not None
    assert str(system) == "post.judge"
    assert [read.parameter for read in system.reads] == ["letter"]
    assert [written.name for written in system.writes] == ["Tone"]
    assert (terms.instructions, terms.budget) == ("You judge.", Budget(requests=2))
    assert str(terms.thinks["think"]) == "Tone"
    send, asks = terms.tools["post_Send"], terms.tools["post_how_many"]
    assert (send.grant, send.says) == ("post.Send", "Send a letter.")
    assert send.schema["required"] == ["letter"]
    assert set(asks.schema["properties"]) == {"name", "most"}
    assert (asks.grant, asks.says) == ("post.how_many", "How many there are.")


class Scan(Component):
    """What a stranger wrote."""

    body: Outside[str]
    pages: int = 1


post.component(of=Letter)(Scan)


async def wary(scan: Changed[Scan], think: Think[Tone]) -> Tone:
    """You judge."""
    return await think(scan)


@pytest.mark.parametrize(
    ("function", "grant", "asks"),
    [
        (judge, Send, ""),
        (judge, Ask(Send), "it was granted so"),
        (judge, Allow(Send), ""),
        (wary, Send, "it reads what came from outside: Scan.body"),
        (wary, Ask(Send), "it was granted so"),
        (wary, Allow(Send), ""),
        (wary, how_many, ""),
    ],
)
def test_who_may_be_told_what_came_from_outside_asks_a_person(function: Any, grant: Any, asks: str) -> None:
    (system,) = put_together(function, grant).systems
    assert system.agent is not None
    assert [tool.asks for tool in system.agent.tools.values()] == [asks]
    assert system.agent.outside == (("Scan.body",) if function is wary else ())


class Told(Row):
    name: Key[str]
    text: Outside[str] = ""


def texts(event: Sent, rows: Table[Told]) -> None: ...


def what(rows: Rows[Told]) -> list[Told]:
    """What was written."""
    return []


post.projection(texts)
post.query(what)


def test_a_query_may_tell_what_came_from_outside() -> None:
    (system,) = put_together(judge, Send, what).systems
    assert system.agent is not None
    assert system.agent.tools["post_Send"].asks == "it reads what came from outside: Told.text"


def test_another_prompt_or_grant_or_budget_is_another_version() -> None:
    async def other(letter: Changed[Letter], think: Think[Tone]) -> Tone:
        """You judge kindly."""
        return await think(letter)

    other.__name__ = "judge"
    versions = {
        put_together(one, *tools, budget=budget).systems[0].version
        for one, tools, budget in [
            (judge, (), None),
            (judge, (Send,), None),
            (judge, (), Budget(requests=2)),
            (other, (), None),
        ]
    }
    assert len(versions) == 4
    assert put_together(judge).systems[0].version == put_together(judge).systems[0].version


def plain(letter: Changed[Letter], think: Think[Tone]) -> Tone:
    """You judge."""
    raise AssertionError


async def silent(letter: Changed[Letter]) -> Tone:
    """You judge."""
    raise AssertionError


async def wordless(letter: Changed[Letter], think: Think[Tone]) -> Tone:
    raise AssertionError


async def vague(letter: Changed[Letter], think: Think) -> Tone:  # type: ignore[type-arg]
    """You judge."""
    raise AssertionError


async def counting(letter: Changed[Letter], think: Think[int]) -> Tone:
    """You judge."""
    raise AssertionError


async def twice(letter: Changed[Letter], think: Think[tuple[Tone, Tone]]) -> Tone:
    """You judge."""
    raise AssertionError


class Strange(Command):
    letter: str


@pytest.mark.parametrize(
    ("function", "tools", "budget", "said"),
    [
        (plain, (), None, "post.plain is an agent, which waits for its model: write `async def`"),
        (silent, (), None, "never thinks: add a parameter"),
        (wordless, (), None, "has no docstring: that is what it is told to be"),
        (vague, (), None, "parameter `think`: say what it answers with"),
        (counting, (), None, "answers with a record, a tuple of records or str"),
        (twice, (), None, "it answers with two Tone"),
        (judge, (Strange,), None, "is granted Strange, a command of no entity here; there are: post.Send"),
        (judge, (judge,), None, "is granted judge, which is no command and no query"),
        (judge, ("Send",), None, "is granted Send, which is no command and no query"),
        (judge, (Ask(how_many),), None, "post.how_many is a query, which changes nothing: grant it as it is"),
        (judge, (Send, Send), None, "is granted post.Send twice"),
        (judge, (), Budget(requests=0), "its budget of requests is 0: 1 or more"),
        (judge, (), Budget(tokens=0), "its budget of tokens is 0: 1 or more"),
        (judge, (), Budget(calls=-1), "its budget of calls is -1: 0 or more"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    function: Any, tools: tuple[Any, ...], budget: Budget | None, said: str
) -> None:
    with pytest.raises(Misdeclared) as refused:
        put_together(function, *tools, budget=budget)
    assert said in str(refused.value)


def test_a_system_does_not_think() -> None:
    made = Context("post")
    made.entities, made.components = post.entities, post.components
    made.system(plain)
    with pytest.raises(Misdeclared, match=r"parameter `think` thinks, which agents do: use @context\.agent"):
        compose([made])


def test_an_agent_has_no_name_that_an_entity_has() -> None:
    async def letter(letter: Changed[Letter], think: Think[Tone]) -> Tone:
        """You judge."""
        raise AssertionError

    letter.__name__ = "Letter"
    with pytest.raises(Misdeclared, match=r"processes, policies and agents are named post\.Letter"):
        put_together(letter)


@pytest.mark.parametrize(
    ("annotation", "data", "read"),
    [
        (Tone, {"tone": "a"}, Tone("a")),
        (Outer, {"inner": {"deep": 1}}, Outer(Inner(1))),
        (tuple[Tone, Topic], {"Tone": {"tone": "a"}, "Topic": {"topic": "b"}}, (Tone("a"), Topic("b"))),
        (tuple[Tone | None, Topic], {"Topic": {"topic": "b"}}, (None, Topic("b"))),
        (tuple[Tone | None, Topic], {"Tone": None, "Topic": {"topic": "b"}}, (None, Topic("b"))),
    ],
)
def test_an_answer_is_read_in_its_shape(annotation: Any, data: dict[str, Any], read: Any) -> None:
    assert read_answer(annotation, "here").read(data) == read


@pytest.mark.parametrize(
    ("annotation", "data", "said"),
    [
        (Tone, {}, "missing required field `tone`"),
        (Tone, {"tone": "a", "more": 1}, "no field 'more'"),
        (Outer, {"inner": {"deep": "x"}}, "Expected `int`, got `str`"),
        (tuple[Tone, Topic], {"Tone": {"tone": "a"}}, "the answer has no Topic: it is (Tone, Topic)"),
        (tuple[Tone | None], {"Mood": {}}, "the answer has no 'Mood': it is (Tone | None)"),
    ],
)
def test_an_answer_of_another_shape_is_named(annotation: Any, data: dict[str, Any], said: str) -> None:
    with pytest.raises(codec.BadBody) as wrong:
        read_answer(annotation, "here").read(data)
    assert said in str(wrong.value)


def test_a_schema_stands_by_itself() -> None:
    schema = object_schema(Outer)
    assert (schema["type"], schema["description"]) == ("object", "Holds another.")
    assert schema["properties"]["inner"] == {"$ref": "#/$defs/Inner"}
    assert set(schema["$defs"]) == {"Inner"}
    several = read_answer(tuple[Outer, Tone | None], "here").schema
    assert several["required"] == ["Outer"]
    assert set(several["$defs"]) == {"Inner"}


def test_an_agent_stands_in_the_topology_with_what_it_may_do() -> None:
    graph = topology(put_together(judge, Send, how_many))
    edges = {(edge.kind, edge.target, edge.by) for edge in graph.edges if edge.source == "agent post.judge"}
    assert edges == {
        ("reads", "entity post.Letter", "changed"),
        ("writes", "component post.Tone of post.Letter", None),
        ("sends", "command post.Send", None),
        ("reads", "query post.how_many", "asks"),
    }
    assert '{{"judge"}}' in mermaid(graph)
    (line,) = [one for one in text(graph, "post", ["post"]).splitlines() if one.startswith("  judge")]
    assert [part.split() for part in line.split("→")] == [
        ["judge", "on", "Letter,", "asks", "how_many"],
        ["Tone"],
        ["Send"],
    ]
    (circle,) = [note for note in graph.notes if note.kind == "circle"]
    assert "post.Send → post.Letter → post.judge" in circle.text
    assert [note for note in topology(put_together(judge, how_many)).notes if note.kind == "circle"] == []
