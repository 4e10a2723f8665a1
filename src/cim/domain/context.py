"""The bounded context that a module speaks for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from cim.domain.agent import Budget
from cim.domain.component import Component
from cim.domain.errors import Misdeclared
from cim.domain.process import Process
from cim.domain.state import State

D = TypeVar("D", bound=State | Component | Process)
P = TypeVar("P", bound=Process)
S = TypeVar("S", bound=State)
C = TypeVar("C", bound=Component)
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class EntityDeclared:
    """An entity as its module declared it; ``key`` is the field of its commands that names it."""

    context: str
    state: type[State]
    key: str


@dataclass(frozen=True, slots=True)
class ComponentDeclared:
    """A component as its module declared it, and the entity that it is attached to."""

    context: str
    component: type[Component]
    of: type[State]


@dataclass(frozen=True, slots=True)
class ProcessDeclared:
    """A process as its module declared it; ``key`` is the field of its events that names it."""

    context: str
    process: type[Process]
    key: str


@dataclass(frozen=True, slots=True)
class AgentDeclared:
    """An agent as its module declared it: its function, the commands and queries that it may use, and what a
    run of it may spend."""

    context: str
    function: Callable[..., Any]
    tools: tuple[Any, ...]
    budget: Budget
    proposed: bool = False


_DECLARED = "__cim_declared__"


def declared_entity(state: type[State]) -> EntityDeclared | None:
    """How a state was declared, whichever context did it; None for a class that no context knows."""
    return state.__dict__.get(_DECLARED)


def declared_component(component: type[Component]) -> ComponentDeclared | None:
    """How a component was declared, whichever context did it."""
    return component.__dict__.get(_DECLARED)


def _first(declared: type[D], context: "Context") -> type[D]:
    """The class, if no context declared it before: it has one owner."""
    before = declared.__dict__.get(_DECLARED)
    if before is not None:
        raise Misdeclared(
            f"{context.name}: {declared.__name__} was declared by context {before.context} already: "
            f"a class has one owner"
        )
    return declared


class Context:
    """One bounded context: its name, its glossary, and what was declared under it.

    ``glossary`` holds the terms of the ubiquitous language that no type carries, each with its
    one-line definition. Declaring does no I/O and checks no more than that a class is declared once:
    what the annotations mean is worked out by :mod:`cim.contract` when a machine is put together.
    """

    def __init__(self, name: str, glossary: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.glossary = dict(glossary or {})
        self.entities: list[EntityDeclared] = []
        self.components: list[ComponentDeclared] = []
        self.systems: list[Callable[..., Any]] = []
        self.views: list[Callable[..., Any]] = []
        self.projections: list[Callable[..., Any]] = []
        self.queries: list[Callable[..., Any]] = []
        self.rules: list[Callable[..., Any]] = []
        self.policies: list[Callable[..., Any]] = []
        self.processes: list[ProcessDeclared] = []
        self.agents: list[AgentDeclared] = []

    def __repr__(self) -> str:
        return f"Context({self.name!r})"

    def entity(self, *, key: str) -> Callable[[type[S]], type[S]]:
        """Declare an entity; ``key`` is the field of its commands and events that holds its id."""

        def declare(state: type[S]) -> type[S]:
            self.entities.append(EntityDeclared(self.name, _first(state, self), key))
            setattr(state, _DECLARED, self.entities[-1])
            return state

        return declare

    def component(self, *, of: type[State]) -> Callable[[type[C]], type[C]]:
        """Declare a component that this context owns, attached to any module's entity."""

        def declare(component: type[C]) -> type[C]:
            self.components.append(ComponentDeclared(self.name, _first(component, self), of))
            setattr(component, _DECLARED, self.components[-1])
            return component

        return declare

    def system(self, function: F) -> F:
        """Declare a system: its parameters say what it reads and needs, its return type what it writes."""
        self.systems.append(function)
        return function

    def agent(
        self, *, tools: Iterable[Any] = (), budget: Budget | None = None, proposed: bool = False
    ) -> Callable[[F], F]:
        """Declare an agent: an async function that is a system, and thinks with its
        :class:`cim.domain.agent.Think`. Its docstring is what it is told to be.

        ``tools`` are all that it may do beside what it returns: commands, by their classes, and queries, by
        their functions, of any module. Before a command is used a person is asked where the agent reads what
        came :data:`cim.domain.outside.Outside`, or where it is granted as :class:`cim.domain.agent.Ask`; not
        where it is granted as :class:`cim.domain.agent.Allow`. ``budget`` is what a run may spend.
        One that is ``proposed`` works once a person lets it.
        """

        def declare(function: F) -> F:
            declared = AgentDeclared(self.name, function, tuple(tools), budget or Budget(), proposed)
            self.agents.append(declared)
            return function

        return declare

    def rule(self, function: F) -> F:
        """Declare a rule that spans entities: a function of a command and of the states that fields of the
        command name, which returns the events of each in a tuple. All are written, or none."""
        self.rules.append(function)
        return function

    def policy(self, function: F) -> F:
        """Declare a policy: a function from an event to the commands that follow from it. Its annotations
        say which events it takes, and which commands it may ask for."""
        self.policies.append(function)
        return function

    def process(self, *, key: str) -> Callable[[type[P]], type[P]]:
        """Declare a process; ``key`` is the field of the events that it takes which names it."""

        def declare(process: type[P]) -> type[P]:
            self.processes.append(ProcessDeclared(self.name, _first(process, self), key))
            setattr(process, _DECLARED, self.processes[-1])
            return process

        return declare

    def projection(self, function: F) -> F:
        """Declare a projection: a function that folds the events that its first parameter names into the
        rows of its :class:`cim.domain.projection.Table`."""
        self.projections.append(function)
        return function

    def query(self, function: F) -> F:
        """Declare a query: a function whose parameters are the question and the
        :class:`cim.domain.projection.Rows` that it reads, and whose return type is the answer."""
        self.queries.append(function)
        return function

    def view(self, function: F) -> F:
        """Declare a view: a function that runs once over symbolic values and returns elements."""
        self.views.append(function)
        return function
