"""A plan as a person would write it down: the text of a module, run, and declared in real contexts."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import cim
from cim.domain.context import Context
from cim.domain.errors import Failure, Unavailable
from cim.testing.clock import START
from cim.testing.worlds.plan import ComponentPlan, Plan, ReadPlan, SystemPlan, blames, found

HEAD = """
from collections.abc import Iterable
from typing import Annotated

from cim import *

things, late = Context("things"), Context("late")


class Become(Command):
    thing: str
    level: int


class Say(Command):
    thing: str
    what: str
    n: int


class Became(Event):
    thing: str
    level: int


class Said(Event):
    thing: str
    what: str
    n: int


@things.entity(key="thing")
class Thing(State):
    level: int = 0

    def decide(self, command: Become | Say) -> Iterable[Became | Said]:
        if isinstance(command, Become):
            return [Became(command.thing, command.level)]
        return [Said(command.thing, command.what, command.n)]

    def evolve(self, event: Became | Said) -> "Thing":
        return self.but(level=event.level) if isinstance(event, Became) else self
"""

SAYINGS = {"set": "event.n", "most": "max(self.n, event.n)", "add": "self.n + event.n"}

MARKS = {
    "changed": "Changed[{}]",
    "follows": "Changed[{} | None]",
    "added": "Added[{}]",
    "removed": "Removed[{}]",
    "has": "{}",
    "maybe": "Maybe[{}]",
    "with": "With[{}]",
    "without": "Without[{}]",
}


def text_of(plan: Plan) -> str:
    """The modules of a plan as Python."""
    return "\n\n".join([HEAD, *map(_component, plan.components), *map(_system, plan.systems), ""])


def _component(one: ComponentPlan) -> str:
    lines = [f"@{one.owner}.component(of=Thing)", f"class {one.name}(Component):"]
    lines.append("    n: int = 0" if one.has_default else "    n: int")
    if one.ends:
        lines.append("    until: Expires = None")
    if one.word is not None:
        lines += ["", f'    def correct(self, event: Said) -> "{one.name}":']
        lines.append(
            f'        return self.but(n={SAYINGS[one.word]}) if event.what == "{one.name}" else self'
        )
    return "\n".join(lines)


def _system(one: SystemPlan) -> str:
    parameters = ", ".join(f"{read.parameter}: {_annotation(read)}" for read in one.reads)
    places = [f"{place.component}{' | None' if place.optional else ''}" for place in one.outputs]
    said = places[0] if len(places) == 1 else f"tuple[{', '.join(places)}]"
    named = ", ".join(f"{read.parameter}={read.parameter}" for read in one.reads)
    return (
        f"@{one.owner}.system\ndef {one.name}({parameters}) -> {said}:  # {one.manner}\n"
        f'    return answer("{one.name}", {named})'
    )


def _annotation(read: ReadPlan) -> str:
    marked = MARKS[read.kind].format(read.source)
    filters = "".join(f', Where("{read.field}", "{how}", {what!r})' for how, what in read.filters)
    return f"Annotated[{marked}{filters}]" if filters else marked


class Modules:
    """The contexts ``things`` and ``late`` of a plan; ``seen`` counts how often a system met which values."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._systems = {one.name: one for one in plan.systems}
        self.seen: Counter[tuple[str, str]] = Counter()
        known = {name: getattr(cim, name) for name in cim.__all__}
        self.names: dict[str, Any] = {**known, "__name__": "random_module", "answer": self._answer}
        exec(compile(text_of(plan), "a random module", "exec"), self.names)

    @property
    def things(self) -> Context:
        """The module that has the entity."""
        found: Context = self.names["things"]
        return found

    @property
    def late(self) -> Context:
        """The module that may come later."""
        found: Context = self.names["late"]
        return found

    def command(self, name: str) -> Callable[..., Any]:
        """The type of a command."""
        kind: Callable[..., Any] = self.names[name]
        return kind

    def _answer(self, name: str, **values: Any) -> Any:
        system = self._systems[name]
        given = given_to(system, {parameter: _number(value) for parameter, value in values.items()})
        said = str(sorted(given.items()))
        self.seen[name, said] += 1
        is_first = self.seen[name, said] == 1
        if system.manner == "away" and is_first:
            raise Unavailable("not there yet")
        if system.manner == "never" or (system.manner == "once" and is_first):
            raise Failure(f"{name} cannot: {said}")
        if system.manner in ("fails", "lies") and blames(system, given):
            if system.manner == "lies":
                return said
            raise Failure(f"{name} cannot: {said}")
        made = [
            self._made(place.component, one)
            for place, one in zip(system.outputs, found(self._plan, system, given), strict=True)
        ]
        return made[0] if len(made) == 1 else tuple(made)

    def _made(self, component: str, one: tuple[int, int | None] | None) -> Any:
        if one is None:
            return None
        kind, (n, second) = self.names[component], one
        return kind(n) if second is None else kind(n, START + timedelta(seconds=second))


def given_to(system: SystemPlan, values: dict[str, int | None]) -> dict[str, int | None]:
    """What of its parameters a system's answer depends on: those that only choose are given no value."""
    chosen = {read.parameter for read in system.reads if read.kind in ("with", "without")}
    return {parameter: value for parameter, value in values.items() if parameter not in chosen}


def _number(value: Any) -> int | None:
    if value is None or isinstance(value, type):
        return None
    return int(value.level if hasattr(value, "level") else value.n)
