"""Any order of deeds on a whole machine, chosen by Hypothesis: at rest it is as the log says."""

import asyncio
import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from cim.actors.request import Asked, Receipt
from cim.testing.faulty_log import steps
from cim.testing.jars import Pour, Put
from cim.testing.machine import Machine, ask
from cim.testing.oracle import stored, verdict

JARS = st.sampled_from(["a", "b"])
COMMANDS = st.builds(Pour, jar=JARS) | st.builds(Put, jar=JARS, amount=st.integers(1, 9))
LIMIT = 4000


class Deeds(RuleBasedStateMachine):
    """Clients, crashes and links of a machine of two processes; what they met is chance by one seed."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.asked: list[Asked] = []
        self.waiting: list[asyncio.Task[None]] = []

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        async def made() -> Machine:
            return Machine(random.Random(seed))

        self.machine = self.runner.run(made())

    @rule(command=COMMANDS)
    def send(self, command: Put | Pour) -> None:
        """A client that nobody waits for."""
        self.asked.append(ask(command, f"c{len(self.asked)}"))
        self._send(self.asked[-1])

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        """At the same time as the first, or long after it."""
        self._send(data.draw(st.sampled_from(self.asked)))

    @rule(place=st.integers(0, 1))
    def crash(self, place: int) -> None:
        self.runner.run(self.machine.crash(place))

    @rule(place=st.integers(0, 1), tries=st.integers(1, 80))
    def cut(self, place: int, tries: int) -> None:
        self.machine.processes[place].log.cut(tries)

    @rule(count=st.integers(1, 150))
    def breathe(self, count: int) -> None:
        self.runner.run(steps(count))

    @rule()
    def rest(self) -> None:
        """Calm, and all is held against the oracle; then the faults go on."""

        async def settled() -> list[str]:
            await self.machine.settle(self.waiting, LIMIT)
            return await verdict(self.machine, await stored(self.machine))

        assert self.runner.run(settled()) == []
        self.waiting.clear()
        self.machine.network.calm = False
        first: dict[str, Receipt] = {}
        for answer in self.machine.answers:
            if isinstance(answer.outcome, Receipt):
                assert first.setdefault(answer.asked.origin.id, answer.outcome) == answer.outcome

    def teardown(self) -> None:
        try:
            if hasattr(self, "machine"):
                self.rest()
                self.runner.run(self.machine.stop())
        finally:
            self.runner.close()

    def _send(self, asked: Asked) -> None:
        async def begun() -> None:
            self.waiting.append(asyncio.ensure_future(self.machine.send(asked)))

        self.runner.run(begun())


TestDeeds = Deeds.TestCase
TestDeeds.settings = settings(
    deadline=None, database=None, derandomize=True, max_examples=100, stateful_step_count=25
)
