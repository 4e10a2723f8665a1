"""``cim send``: a command from the command line."""

import argparse
from pathlib import Path
from typing import Any

from cim.adapters.nats.blobs import NatsBlobs
from cim.adapters.system import SystemClock, SystemEntropy
from cim.cli.output import print_json, tell
from cim.cli.place import find_machine, owner, reach, run_until_stopped
from cim.contract.composition import compose
from cim.contract.envelope import Origin
from cim.contract.subjects import token
from cim.domain.errors import CimError
from cim.doors.commands import CommandDoor
from cim.doors.intake import check_size, take_in
from cim.doors.patience import PatientBlobs
from cim.doors.sender import send
from cim.leaf.deciding import deciding
from cim.leaf.heads import keep_head
from cim.leaf.machine import Machine, load_contexts
from cim.leaf.node import background, join


def run(given: argparse.Namespace) -> int:
    """Send it and print the receipt; 1 with the reason when it is rejected."""
    answer = run_until_stopped(_send(find_machine(given.machine), given))
    rejected = answer.get("rejected")
    if given.json:
        print_json(answer)
    elif rejected is not None:
        print(f"rejected by {rejected['by']}: {rejected['reason']}")
    else:
        print(
            f"{answer['entity']}: in the log at sequence {answer['sequence']} (command {answer['command']})"
        )
    return 0 if rejected is None else 1


async def _send(machine: Machine, given: argparse.Namespace) -> dict[str, Any]:
    fields = parse_fields(given.fields)
    composition = compose(load_contexts(machine, machine.modules))
    context, _, name = given.message.partition(".")
    kind = composition.command(context, name)
    clock = SystemClock()
    id = token(given.id, "--id") if given.id else SystemEntropy().new_id()
    async with reach(machine) as (client, running):
        command = await take_in(kind, name, fields, PatientBlobs(await NatsBlobs.open(client), clock))
        sending = send(client, clock, kind, command, Origin.root(id, owner()), "cli", given.patience)
        if running is not None:
            return dict(await sending)
        # No leaf runs: the command is decided here, and the systems find it when the machine is up.
        async with (
            join(machine, client, composition, (), tell) as node,
            deciding(node, tell) as actors,
            background(keep_head(node.world, machine.state, clock, tell)),
        ):
            async with CommandDoor(composition, actors, node.world).serve(client, tell):
                answer = dict(await sending)
            await node.folded()
            return answer


def parse_fields(given: list[str]) -> dict[str, str | bytes]:
    """``field=value`` and ``field=@FILE`` as fields; raises :class:`CimError` naming the one that is off."""
    fields: dict[str, str | bytes] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise CimError(f"{one!r} is no FIELD=VALUE")
        if name in fields:
            raise CimError(f"field {name} is given twice")
        fields[name] = read_file(Path(value[1:])) if value.startswith("@") else value
    return fields


def read_file(path: Path) -> bytes:
    """A file's content; its size is checked before it is read."""
    try:
        check_size(path.stat().st_size, str(path))
        return path.read_bytes()
    except OSError as error:
        raise CimError(f"{path}: {error.strerror or error}") from error
