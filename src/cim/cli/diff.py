"""``cim diff``: what changed on an entity between two sequences or times."""

import argparse
from collections.abc import Iterator
from typing import Any

from cim.cli.moment import Moment, moment
from cim.cli.output import print_json, print_table
from cim.cli.place import find_machine, run_until_stopped
from cim.cli.show import read_past
from cim.domain.errors import CimError
from cim.world.entity import Entity
from cim.world.trail import summary

Fields = dict[str, Any]


def run(given: argparse.Namespace) -> int:
    """Print the changes; 1 where there was no such entity at either moment."""
    start = moment(given.start, "--from")
    end = None if given.end is None else moment(given.end, "--to")
    past = run_until_stopped(read_past(find_machine(given.machine), given.entity, given.id))
    then, later = (run_until_stopped(past.entities(at)) for at in (start, end))
    before, after = next(iter(then), None), next(iter(later), None)
    if before is None and after is None:
        raise CimError(
            f"there is no {given.entity} {given.id} {start}, nor {_when(end)}; "
            f"`cim show {given.entity}` lists them"
        )
    found = changes(before, after)
    rows = list(_rows(found))
    if given.json:
        print_json({"id": given.id, **found})
    elif rows:
        print_table(("what", "change", "from", "to"), rows)
    else:
        until = "now" if end is None else end.text
        print(f"nothing changed on {given.entity} {given.id} between {start.text} and {until}")
    return 0


def changes(before: Entity | None, after: Entity | None) -> dict[str, Any]:
    """What differs between an entity then and later; None where it was not there. The shape is kept stable.

    ``state`` and each of ``changed`` hold only the fields that differ: ``{"title": {"from": …, "to": …}}``.
    """
    was, now = _shown(before), _shown(after)
    old = {name: cell["value"] for name, cell in was["components"].items()}
    new = {name: cell["value"] for name, cell in now["components"].items()}
    found = {
        "from": was["sequence"],
        "to": now["sequence"],
        "state": differing(was["state"], now["state"]),
        "added": {name: value for name, value in new.items() if name not in old},
        "changed": {
            name: differing(old[name], new[name]) for name in new if old.get(name, new[name]) != new[name]
        },
        "removed": {name: value for name, value in old.items() if name not in new},
    }
    stopped = differing({"stopped": was.get("stopped")}, {"stopped": now.get("stopped")})
    return found | stopped


def _shown(entity: Entity | None) -> dict[str, Any]:
    return {"sequence": 0, "state": None, "components": {}} if entity is None else entity.shown()


def differing(old: Fields | None, new: Fields | None) -> dict[str, Any]:
    """The fields that differ, each with what it was and is; a field that is not there is null."""
    old, new = old or {}, new or {}
    return {
        name: {"from": old.get(name), "to": new.get(name)}
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    }


def _rows(found: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    if "stopped" in found:
        yield "stopped", "changed", *_texts(found["stopped"])
    for field, change in found["state"].items():
        yield f"state.{field}", "changed", *_texts(change)
    for name, value in found["added"].items():
        yield name, "added", "", summary(value)
    for name, fields in found["changed"].items():
        for field, change in fields.items():
            yield f"{name}.{field}", "changed", *_texts(change)
    for name, value in found["removed"].items():
        yield name, "removed", summary(value), ""


def _texts(change: Fields) -> tuple[str, str]:
    old, new = ("" if change[side] is None else summary(change[side]) for side in ("from", "to"))
    return old, new


def _when(moment: Moment | None) -> str:
    return "now" if moment is None else str(moment)
