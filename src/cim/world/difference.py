"""What the outputs of a run would change of what the system wrote on an entity before."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cim.contract import codec
from cim.contract.expiry import end_of
from cim.contract.system import ComponentType, SystemType
from cim.domain.component import Component
from cim.world.correction import derived_of
from cim.world.entity import Entity


@dataclass(frozen=True, slots=True)
class Difference:
    """A component as its system wrote it, before any correction, and as it would write it now: plain values,
    None where there is none."""

    old: Any
    new: Any


def differences(
    system: SystemType, entity: Entity, outputs: Iterable[Component | None], now: datetime
) -> dict[str, Difference]:
    """What differs, by the component's key. What would have ended by ``now`` is nothing new."""
    made = {type(output): output for output in outputs if output is not None}
    found: dict[str, Difference] = {}
    for kind in system.writes:
        cell = derived_of(entity.cells.get(kind.key))
        old, new = _plain(None if cell is None else cell.value), _plain(made.get(kind.component))
        if old != new and not (old is None and _has_ended(kind, new, now)):
            found[kind.key] = Difference(old, new)
    return found


def _plain(value: Any) -> Any:
    """A value as it comes back from the log: what was read from there and what was just made are alike."""
    return None if value is None else codec.json_value(codec.json_bytes(codec.plain(value)))


def _has_ended(kind: ComponentType, value: Any, now: datetime) -> bool:
    end = None if kind.expires is None else end_of(value, kind.expires)
    return end is not None and end <= now
