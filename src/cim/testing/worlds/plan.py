"""What a random module declares, as plain data: chosen by a seed, and all that the oracle knows of it."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from zlib import crc32

Kind = Literal["changed", "follows", "added", "removed", "has", "maybe", "with", "without"]
Manner = Literal["finds", "fails", "never", "once", "away", "lies"]
"""How a system goes about it: it always finds its answer, fails on some values, fails on all, fails the first
time that it sees a value, does not reach what it needs the first time, or returns what it does not say."""

Word = Literal["set", "most", "add"]
"""What a person's correction does to a value."""

WORDS: tuple[Word, ...] = ("set", "most", "add")

MANNERS: Mapping[Manner, int] = {"finds": 10, "fails": 4, "never": 1, "once": 2, "away": 2, "lies": 1}
"""How often each is chosen."""

THING = "Thing"
"""The entity's own state, among what a system reads."""

TRIGGERS = frozenset({"changed", "follows", "added", "removed"})

VALUES = 10
"""Values are the whole numbers below it."""

LONGEST_LIFE = 200
"""Seconds after the clock's start at which the last component ends."""


@dataclass(frozen=True)
class ComponentPlan:
    """A component ``n: int``. ``word`` is how a person's correction changes it, if people may correct it."""

    name: str
    owner: str
    word: Word | None
    has_default: bool
    ends: bool

    @property
    def key(self) -> str:
        """Its name on the entity, which is of the module ``things``."""
        return self.name if self.owner == "things" else f"{self.owner}.{self.name}"

    def put_right(self, value: int, said: int) -> int:
        """A value after a person's word."""
        match self.word:
            case "most":
                return max(value, said)
            case "add":
                return value + said
            case _:
                return said


@dataclass(frozen=True)
class ReadPlan:
    """One parameter: a component by its name or :data:`THING`, and filters ``(operator, operand)``."""

    parameter: str
    kind: Kind
    source: str
    filters: tuple[tuple[str, Any], ...] = ()

    @property
    def field(self) -> str:
        """What the filters look at."""
        return "level" if self.source == THING else "n"

    def lets(self, value: int) -> bool:
        """Whether its filters let a value through."""
        return all(_compared(value, operator, operand) for operator, operand in self.filters)


def _compared(value: int, operator: str, operand: Any) -> bool:
    match operator:
        case "==":
            return bool(value == operand)
        case "!=":
            return bool(value != operand)
        case "<":
            return bool(value < operand)
        case ">":
            return bool(value > operand)
        case _:
            return value in operand


@dataclass(frozen=True)
class OutputPlan:
    """One place of what a system returns; ``optional`` where None may stand there."""

    component: str
    optional: bool


@dataclass(frozen=True)
class SystemPlan:
    """A system of a module."""

    name: str
    owner: str
    reads: tuple[ReadPlan, ...]
    outputs: tuple[OutputPlan, ...]
    manner: Manner

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}"


Found = tuple[int, int | None] | None
"""A component's value and the second after the clock's start at which it ends; None where there is none."""


@dataclass(frozen=True)
class Plan:
    """The modules ``things`` and ``late``."""

    components: tuple[ComponentPlan, ...]
    systems: tuple[SystemPlan, ...]

    def component(self, name: str) -> ComponentPlan:
        """The component of a name."""
        return next(one for one in self.components if one.name == name)

    def key(self, source: str) -> str:
        """The name under which the world knows what a system reads."""
        return "state" if source == THING else self.component(source).key


def _chance(*parts: object) -> int:
    """A whole number that follows from its parts alone."""
    return crc32("|".join(map(str, parts)).encode())


def blames(system: SystemPlan, given: dict[str, int | None]) -> bool:
    """Whether a system that fails on some values fails on these."""
    return _chance(system, sorted(given.items()), "fails") % 3 == 0


def found(plan: Plan, system: SystemPlan, given: dict[str, int | None]) -> list[Found]:
    """What a system makes of the values of its parameters, in the order of its outputs."""
    made: list[Found] = []
    for output in system.outputs:
        chance = _chance(system, sorted(given.items()), output.component)
        if output.optional and chance % 3 == 0:
            made.append(None)
            continue
        is_short = plan.component(output.component).ends and chance % 5 != 0
        made.append((chance // 7 % VALUES, chance // 71 % LONGEST_LIFE if is_short else None))
    return made


def planned(chance: random.Random) -> Plan:
    """Random modules: mostly sound, a few that the machine refuses by name."""
    names = [f"C{number}" for number in range(chance.randint(2, 6))]
    components, systems = list[ComponentPlan](), list[SystemPlan]()
    while names:
        owner = "late" if systems and chance.random() < 0.3 else "things"
        written = [names.pop(0) for _ in range(min(len(names), chance.choice([1, 1, 2])))]
        before = [one.name for one in components]
        components += [_component(chance, name, owner) for name in written]
        systems.append(_system(chance, f"s{len(systems)}", owner, before, components, written))
    return Plan(tuple(components), tuple(systems))


def _component(chance: random.Random, name: str, owner: str) -> ComponentPlan:
    # What a person says of another module's component is known where that module is: it is not asked here.
    word = chance.choice(WORDS) if owner == "things" and chance.random() < 0.4 else None
    return ComponentPlan(name, owner, word, chance.random() < 0.5, word is None and chance.random() < 0.3)


def _system(
    chance: random.Random,
    name: str,
    owner: str,
    before: list[str],
    components: list[ComponentPlan],
    written: list[str],
) -> SystemPlan:
    # The module of the things does not know of those that come later.
    known = [one.name for one in components if owner == "late" or one.owner == "things"]
    early = [THING, THING, *(one for one in before if one in known)]
    wrong = chance.random() < 0.02  # wakes itself
    reads = [_read(chance, "a", chance.choice(known if wrong else early), trigger=True)]
    for parameter in "bcde":
        trigger = parameter in "bc"
        source = chance.choice(early if trigger else [THING, *known])
        again = any(one.source == source for one in reads) and chance.random() < 0.8
        if chance.random() < 0.4 and not again:
            reads.append(_read(chance, parameter, source, trigger=trigger))
    outputs = tuple(OutputPlan(one, chance.random() < 0.5) for one in written)
    manner = chance.choices(list(MANNERS), list(MANNERS.values()))[0]
    return SystemPlan(name, owner, tuple(reads), outputs, manner)


def _read(chance: random.Random, parameter: str, source: str, *, trigger: bool) -> ReadPlan:
    kinds: list[Kind] = (
        ["changed", "follows", "added", "removed"] if trigger else ["has", "maybe", "with", "without"]
    )
    kind = chance.choices(kinds, [8, 3, 2, 2] if trigger else [3, 4, 2, 2])[0]
    if source == THING and kind in ("removed", "without") and chance.random() < 0.95:
        kind = "changed" if trigger else "has"
    filters = tuple(_filter(chance) for _ in range(chance.choices([0, 1, 2], [12, 5, 1])[0]))
    return ReadPlan(parameter, kind, source, filters)


def _filter(chance: random.Random) -> tuple[str, Any]:
    operator = chance.choice(["!=", "!=", "<", ">", "in", "=="])
    if operator == "in":
        return operator, tuple(sorted(chance.sample(range(VALUES), 6)))
    low, high = {"<": (4, VALUES), ">": (0, 5)}.get(operator, (0, VALUES))
    return operator, chance.randrange(low, high)
