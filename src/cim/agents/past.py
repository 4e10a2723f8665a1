"""Runs of agents as the log tells of them: folded for whoever looks at them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cim.agents.steps import MODEL, Began, Step, read_said
from cim.contract import codec
from cim.contract.envelope import Commit
from cim.contract.subjects import Ref, parse_stored
from cim.log.sealing import Sealing
from cim.log.thought import is_thought
from cim.world.world import FAILED


@dataclass(slots=True)
class PastRun:
    """One run: how it began, its steps, and how it ended (``done``, ``failed``), empty while it has not.

    ``time`` is when it began, ``owner`` who answers for it, ``cause`` why it failed.
    """

    ref: Ref
    began: Began
    time: str
    owner: str
    correlation: str
    steps: list[Step] = field(default_factory=list)
    outcome: str = ""
    cause: str = ""

    @property
    def on(self) -> Ref:
        """The entity that it is made on."""
        return parse_stored(self.began.on)[0]

    @property
    def requests(self) -> int:
        """How often the model was asked."""
        return sum(step.what == MODEL for step in self.steps)

    @property
    def tokens(self) -> tuple[int, int]:
        """What went to the model, and what came back."""
        return sum(step.tokens_in for step in self.steps), sum(step.tokens_out for step in self.steps)


class Past:
    """The runs of a log, by their ids, in the order in which they began."""

    def __init__(self, sealing: Sealing) -> None:
        self._sealing = sealing
        self.runs: dict[str, PastRun] = {}

    def apply(self, commit: Commit) -> None:
        """Take in the next commit of the log, of whatever kind; raises :class:`codec.BadBody`."""
        if is_thought(commit):
            ref, said = parse_stored(commit.subject)[0], read_said(commit, self._sealing.shown(commit))
            if isinstance(said, Began):
                origin = commit.origin
                self.runs[ref.id] = PastRun(ref, said, commit.time, origin.owner, origin.correlation)
            elif ref.id in self.runs:
                self.runs[ref.id].steps.append(said)
        elif commit.derivation is not None and commit.id in self.runs:
            run = self.runs[commit.id]
            run.outcome = commit.derivation.outcome
            if run.outcome == "failed":
                run.cause = _cause(codec.decode(self._sealing.shown(commit)))


def _cause(items: Iterable[codec.Item]) -> str:
    causes = [item.data["cause"] for item in items if item.type == FAILED and item.data is not None]
    return str(causes[0]) if causes else ""
