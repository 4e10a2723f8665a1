"""Which agents may work, and what they are told to be, as the log says."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from cim.contract.codec import BadBody
from cim.contract.envelope import Commit
from cim.contract.system import SystemType
from cim.log.staging import EVERY_AGENT, Stage, prompted, staged
from cim.ports.log import Log


@dataclass(slots=True)
class Said:
    """What people said of one agent: the ``stage`` and who put it there, empty where nobody did, and the
    prompts by the numbers of their entries."""

    stage: Stage | None = None
    by: str = ""
    reason: str = ""
    time: str = ""
    prompts: dict[int, str] = field(default_factory=dict)
    sequence: int = 0


class Stages:
    """What is said of the agents among some systems."""

    def __init__(self, systems: Iterable[SystemType]) -> None:
        self._proposed = {str(one) for one in systems if one.agent is not None and one.agent.proposed}
        self._said: defaultdict[str, Said] = defaultdict(Said)

    async def read(self, log: Log) -> None:
        """Take in what stands in the log now. Raises :class:`cim.ports.log.LinkLost`."""
        async for commit in log.read(EVERY_AGENT):
            self.apply(commit)

    def apply(self, commit: Commit) -> str | None:
        """Take in a commit, of whatever kind; the agent of which it says something new."""
        with suppress(BadBody):  # it stops its own entity, by name
            stage, prompt = staged(commit), prompted(commit)
            if stage is None and prompt is None:
                return None
            agent = stage.agent if stage is not None else prompt.agent if prompt is not None else ""
            said = self._said[agent]
            if commit.sequence <= said.sequence:
                return None
            said.sequence = commit.sequence
            if stage is not None:
                said.stage, said.reason = stage.stage, stage.reason
                said.by, said.time = commit.origin.owner, commit.time
            if prompt is not None:
                said.prompts[commit.number] = prompt.instructions
            return agent
        return None

    def stage(self, agent: str) -> Stage:
        """The stage of an agent: where nobody said anything it is active, or proposed if declared so."""
        said = self._said[agent].stage
        return said or ("proposed" if agent in self._proposed else "active")

    def said(self, agent: str) -> Said:
        """All that was said of an agent."""
        return self._said[agent]

    def closed(self, agent: str) -> str | None:
        """Why an agent may not work now, if it may not."""
        stage, said = self.stage(agent), self._said[agent]
        if stage == "active":
            return None
        if stage == "proposed" and not said.by:
            return "it is proposed, and nobody has let it work yet"
        return f"{said.by} has it {stage}: {said.reason}"

    def prompt(self, agent: str) -> tuple[int, str]:
        """What runs of an agent that begin now are told to be, with the number of the entry; 0 and an empty
        text for what its code says."""
        prompts = self._said[agent].prompts
        number = max(prompts, default=0)
        return (number, prompts[number]) if prompts.get(number) else (0, "")

    def prompt_of(self, agent: str, number: int) -> str:
        """The prompt of that entry."""
        return self._said[agent].prompts.get(number, "")
