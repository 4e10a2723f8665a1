"""``cim work``: a second process joins a running machine with modules of its own."""

import argparse
import asyncio
from collections.abc import Iterable

from cim.adapters.nats.link import connect
from cim.adapters.system import SystemClock, SystemEntropy
from cim.cli.output import progress, tell
from cim.cli.place import find_machine, run_until_stopped
from cim.contract.composition import compose
from cim.contract.system import SystemType
from cim.domain.errors import CimError
from cim.doors.queries import QueryDoor
from cim.doors.runs import serve_runs
from cim.leaf.accounts import Credentials
from cim.leaf.garbage import let_stay
from cim.leaf.index import index_beside
from cim.leaf.lock import find_running
from cim.leaf.machine import Machine, load_contexts
from cim.leaf.node import Node, join


def run(given: argparse.Namespace) -> int:
    """Join, catch up with what is old, go on with what comes."""
    run_until_stopped(_work(find_machine(given.machine), tuple(given.module), given.systems, given.exit))
    return 0


async def _work(machine: Machine, modules: tuple[str, ...], only: str | None, leave: bool) -> None:
    running = find_running(machine.state)
    if running is None:
        raise CimError(f"no leaf of machine {machine.name} runs: start one with `cim up {machine.folder}`")
    own = load_contexts(machine, modules or machine.modules)
    known = load_contexts(machine, machine.modules)
    composition = compose(dict.fromkeys([*known, *own]))
    names = {context.name for context in own}
    systems = [system for system in composition.systems if system.owner in names]
    # The leaf has the projections of the machine's own modules up to date already.
    brought = names - {context.name for context in known}
    projections = [one for one in composition.projections if one.owner in brought]
    queries = [one for one in composition.queries if one.owner in brought]
    for process in composition.processes:
        if process.owner in brought:
            tell(
                f"{process} does not run here: put {process.owner} into machine.toml, for the leaf to run it"
            )
    if only is not None:
        systems, projections, queries = _named(systems, only), [], []
    parts = [*systems, *projections, *queries]
    if not parts:
        raise CimError(f"{', '.join(sorted(names))}: there is no system, projection or query in it to run")
    user = Credentials(running.jwt, running.seed)
    async with (
        connect(running.url, user, f"work of {machine.name}", tell) as client,
        index_beside(machine, SystemClock(), tell) as index,
        join(machine, client, composition, systems, tell, modules, projections, index=index) as node,
        serve_runs(client, node.schedule, SystemEntropy().new_id(), tell, node.left_alone),
        QueryDoor(composition, node.world, node.answers).serve(client, sorted(brought), tell),
    ):
        print(f"joined machine {machine.name} with {', '.join(map(str, parts))}", flush=True)
        await _catch_up(node)
        if not leave:
            await asyncio.get_running_loop().create_future()


def _named(systems: Iterable[SystemType], names: str) -> list[SystemType]:
    """The systems of those names; raises :class:`CimError` for one that is not there."""
    known = {str(system): system for system in systems}
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in known:
            raise CimError(f"--systems: there is no system {name!r}; there are: {', '.join(sorted(known))}")
    return [known[name] for name in dict.fromkeys(wanted)]


async def _catch_up(node: Node) -> None:
    """Show how far the old entities are until none is left."""
    await node.world.until_caught_up()
    let_stay()
    with progress() as bar:
        task = bar.add_task("catching up", total=max(node.schedule.left, 1))
        idle = asyncio.ensure_future(node.idle())
        while not idle.done():
            await asyncio.wait({idle}, timeout=0.1)
            total = max(bar.tasks[0].total or 0, node.schedule.left)
            bar.update(task, total=total, completed=total - node.schedule.left)
        await idle
    print("nothing is left to do", flush=True)
