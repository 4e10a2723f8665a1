"""A case that ends wrong made smaller while it still does: fewer deeds, systems, and of what they read."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from cim.domain.errors import Misdeclared
from cim.testing.worlds.life import Case, live
from cim.testing.worlds.plan import THING, Plan, SystemPlan


def is_wrong(case: Case) -> bool:
    """Whether a case ends wrong; one that the machine refuses does not."""
    try:
        return bool(live(case).wrong)
    except Misdeclared:
        return False


def shrunk(case: Case, still: Callable[[Case], bool] = is_wrong) -> Case:
    """The smallest case that is found step by step; ``still`` says whether one ends wrong."""
    while True:
        smaller = next((one for one in _smaller(case) if still(one)), None)
        if smaller is None:
            return case
        case = smaller


def _smaller(case: Case) -> Iterator[Case]:
    """Cases that are a step smaller, those of the largest steps first."""
    if not case.calm:
        yield replace(case, calm=True)
    size = len(case.deeds)
    while size:
        for start in range(0, len(case.deeds), size):
            yield replace(case, deeds=case.deeds[:start] + case.deeds[start + size :])
        size //= 2
    for plan in _smaller_plans(case.plan):
        yield replace(case, plan=plan)


def _smaller_plans(plan: Plan) -> Iterator[Plan]:
    for system in plan.systems:
        yield _whole(replace(plan, systems=tuple(one for one in plan.systems if one is not system)))
    for system in plan.systems:
        for smaller in _smaller_systems(system):
            yield replace(plan, systems=tuple(smaller if one is system else one for one in plan.systems))


def _smaller_systems(system: SystemPlan) -> Iterator[SystemPlan]:
    for read in system.reads:
        yield replace(system, reads=tuple(one for one in system.reads if one is not read))
        if read.filters:
            bare = replace(read, filters=())
            yield replace(system, reads=tuple(bare if one is read else one for one in system.reads))
    if system.manner != "finds":
        yield replace(system, manner="finds")


def _whole(plan: Plan) -> Plan:
    """Without the components that no system has to do with any more."""
    used = {output.component for system in plan.systems for output in system.outputs}
    used |= {read.source for system in plan.systems for read in system.reads} - {THING}
    return replace(plan, components=tuple(one for one in plan.components if one.name in used))
