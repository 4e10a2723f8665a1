"""What agents have spent of a day's budget, as the steps in the log say. A day is one of UTC."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from cim.agents.steps import MODEL, Step, read_said
from cim.contract.codec import BadBody
from cim.contract.envelope import Commit
from cim.contract.subjects import Ref, parse_stored
from cim.contract.system import SystemType
from cim.log.thought import is_thought
from cim.ports.clock import Clock
from cim.ports.log import Log


@dataclass(frozen=True, slots=True)
class Daily:
    """What an agent may spend in a day: requests to its model, and tokens there and back together."""

    requests: int | None = None
    tokens: int | None = None


@dataclass(slots=True)
class Spent:
    """What was spent on a day."""

    day: str = ""
    requests: int = 0
    tokens: int = 0


class Spending:
    """Counts what agents spend today; ``budgets`` are theirs by full names."""

    def __init__(self, budgets: Mapping[str, Daily], clock: Clock) -> None:
        self._budgets, self._clock = budgets, clock
        self._spent: dict[str, Spent] = {}
        self._sequence = 0

    async def read(self, log: Log, systems: Iterable[SystemType]) -> None:
        """Take in what the log holds of those that have a budget. Raises :class:`cim.ports.log.LinkLost`."""
        last = await log.last()
        for system in systems:
            if system.agent is not None and str(system) in self._budgets:
                async for commit in log.read(Ref(system.owner, system.name, "*").events):
                    if commit.sequence <= last:
                        self._count(commit)
        self._sequence = last

    def apply(self, commit: Commit) -> None:
        """Take in a commit, of whatever kind."""
        if commit.sequence > self._sequence and is_thought(commit):
            self._count(commit)

    def _count(self, commit: Commit) -> None:
        with suppress(BadBody):  # it stops its own entity, by name
            said = read_said(commit, commit.body)
            ref, today = parse_stored(commit.subject)[0], self._today()
            if not isinstance(said, Step) or said.what != MODEL or commit.time[:10] != today:
                return
            spent = self.spent(f"{ref.context}.{ref.entity}")
            spent.requests += 1
            spent.tokens += said.tokens_in + said.tokens_out

    def spent(self, agent: str) -> Spent:
        """What an agent has spent today."""
        found, today = self._spent.setdefault(agent, Spent()), self._today()
        if found.day != today:
            found.day, found.requests, found.tokens = today, 0, 0
        return found

    def closed(self, agent: str) -> str | None:
        """Why an agent may spend no more today, if it may not."""
        budget = self._budgets.get(agent)
        if budget is None:
            return None
        spent = self.spent(agent)
        for name in ("requests", "tokens"):
            most, used = getattr(budget, name), getattr(spent, name)
            if most is not None and used >= most:
                return f"its budget of {most:,} {name} a day is used up ({used:,}), until midnight UTC"
        return None

    def _today(self) -> str:
        return self._clock.now().date().isoformat()
