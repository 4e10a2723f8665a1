"""One process at work: its state, folded from its own history, and its head in the log."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cim.contract import codec
from cim.contract.envelope import Commit, Origin
from cim.contract.process import ProcessType
from cim.contract.schema import dataschema
from cim.contract.shapes import known_shapes
from cim.contract.subjects import Ref
from cim.domain.errors import CimError
from cim.domain.message import Event
from cim.domain.process import Process
from cim.log.chain import BrokenChain, Head
from cim.log.release import is_released
from cim.log.sealing import Sealing
from cim.ports.log import Log
from cim.processes.step import STEP, is_step, items_of, read_step


class UnknownFact(CimError):
    """A process's history holds a fact that its code does not take any more."""


@dataclass(slots=True)
class Instance:
    """A process as its own commits say: it folds facts, and runs no code that gave them.

    ``seen`` is the newest of its commits that is known to stand in the log. ``trouble`` says which fact its
    code cannot fold, if there is one.
    """

    kind: ProcessType
    ref: Ref
    state: Process
    sealing: Sealing
    head: Head = field(default_factory=Head)
    seen: int = 0
    trouble: str | None = None

    async def catch_up(self, log: Log) -> None:
        """Take in what stands on its subject now. Raises :class:`cim.log.chain.BrokenChain` for what does
        not follow, unless it was released."""
        async for commit in log.read(self.ref.events, self.head.sequence):
            try:
                self.apply(commit)
            except BrokenChain:
                if not await is_released(log, commit):
                    raise

    def apply(self, commit: Commit) -> None:
        """Take in the next commit; raises :class:`cim.log.chain.BrokenChain` when it does not follow."""
        self.head = self.head.advance(commit)
        try:
            self.state = self._folded(commit)
        except Exception as error:  # a module's own evolve, or a fact that it no longer takes
            self.trouble = self.trouble or f"sequence {commit.sequence}: {type(error).__name__}: {error}"

    def _folded(self, commit: Commit) -> Process:
        state, shapes = self.state, known_shapes(tuple(self.kind.facts.values()))
        for fact in read_step(commit, self.sealing.body(commit)).facts if is_step(commit) else ():
            if fact.type not in shapes.names:
                raise UnknownFact(
                    f"the fact {fact.type} is taken by no evolve of {self.kind}; "
                    f"it takes: {', '.join(self.kind.facts) or 'none'}"
                )
            for known in shapes.typed(fact):
                state = state.evolve(known)
        return state

    def takes(self, of: Ref, event: Event) -> bool:
        """Whether it is this instance that takes an event of the entity ``of``."""
        return self.kind.instance(of, codec.plain(event)) == self.ref.id

    def commit(self, origin: Origin, source: str, time: str, cause: Any, said: Iterable[Any]) -> Commit:
        """The next commit of this instance, unwritten: what it answers, then what it gives."""
        items, facts = items_of(cause), set()
        for one in said:
            if isinstance(one, Event):
                items.append(self.sealing.item(self.ref.events, one, late=True))
                facts.add(type(one))
            else:
                items += items_of(one)
        return Commit(
            subject=self.ref.events,
            number=0,
            origin=origin,
            source=source,
            type=f"{self.kind}.{STEP}",
            time=time,
            schema=dataschema(facts),
            body=codec.encode(items),
        )
