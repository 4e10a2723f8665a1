"""What must stand on a thing at rest, from what people said alone: a fixpoint in a dictionary.

What a system saw on the way depends on when it ran. So this knows a component only where every way leads to
the same; the others are open, and the oracle of the log judges them.
"""

from typing import Any, Literal

from cim.testing.worlds.plan import THING, Plan, SystemPlan, blames, found

Open = Literal["open"]
Known = dict[str, int | Open | None]
"""By a component's name its value, None where it is not carried, ``"open"`` where that depends."""


def settled(plan: Plan, level: int, words: dict[str, list[int]]) -> Known:
    """What a thing carries at rest; ``words`` are those that people said of its components, by name."""
    known: Known = {one.name: "open" for one in plan.components}
    while True:
        before = dict(known)
        for system in plan.systems:
            for name, value in _made(plan, system, level, known).items():
                known[name] = _put_right(plan, name, value, words.get(name, []))
        if known == before:
            return known


def _made(plan: Plan, system: SystemPlan, level: int, known: Known) -> Known:
    """What a system wrote, before anybody put it right, where that is certain."""
    opened: Known = {output.component: "open" for output in system.outputs}
    given: dict[str, int | None] = {}
    is_gone = False
    for read in system.reads:
        value: Any = level if read.source == THING else known[read.source]
        if value == "open" or read.kind not in ("changed", "follows"):
            return opened
        given[read.parameter] = value if value is not None and read.lets(value) else None
        if given[read.parameter] is None:
            if read.kind == "changed":
                return opened  # what it wrote of an earlier value stays
            is_gone = True
    if system.manner in ("never", "once") or (system.manner in ("fails", "lies") and blames(system, given)):
        return opened
    made: Known = {}
    for output, one in zip(system.outputs, found(plan, system, given), strict=True):
        value = None if one is None or one[1] is not None else one[0]  # what ends has ended at rest
        # Whether it was ever run for what is gone depends: only what it does not write is certain.
        made[output.component] = "open" if is_gone and value is not None else value
    return made


def _put_right(plan: Plan, name: str, value: int | Open | None, words: list[int]) -> int | Open | None:
    component = plan.component(name)
    if component.word is None or value == "open":
        return value
    if value is None and not component.has_default:
        return None
    right = 0 if value is None else int(value)
    was_said = False
    for word in words:
        after = component.put_right(right, word)
        was_said, right = was_said or after != right, after
    return right if value is not None or was_said else None
