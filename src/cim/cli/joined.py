"""A command that joins the machine as a node of its own, to write what only who has read the log may."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from cim.adapters.system import SystemClock
from cim.cli.output import tell
from cim.cli.place import reach
from cim.contract.composition import compose
from cim.leaf.heads import keep_head
from cim.leaf.machine import Machine, load_contexts
from cim.leaf.node import Node, background, join


@asynccontextmanager
async def joined(machine: Machine, modules: Iterable[str] = ()) -> AsyncIterator[Node]:
    """A node that has read the log to its end and runs nothing, of the machine's modules and these; where no
    leaf runs it keeps the head as one would."""
    composition = compose(load_contexts(machine, dict.fromkeys([*machine.modules, *modules])))
    async with AsyncExitStack() as stack:
        client, running = await stack.enter_async_context(reach(machine))
        node = await stack.enter_async_context(join(machine, client, composition, (), tell))
        if running is None:
            head = keep_head(node.world, machine.state, SystemClock(), tell)
            await stack.enter_async_context(background(head))
        await node.world.until_caught_up()
        yield node
