"""The journal of one run of an agent: what the log says of it, and each further step behind that."""

from dataclasses import dataclass

from cim.agents.steps import MODEL, SEALABLE, Began, Said, Step, item_of, read_said
from cim.contract import codec
from cim.contract.envelope import Commit, Origin
from cim.contract.schema import dataschema
from cim.contract.subjects import Ref
from cim.domain.errors import CimError, Unavailable
from cim.log.append import OutcomeUnknown, Overtaken, append
from cim.log.chain import Head
from cim.log.sealing import Sealing
from cim.log.thought import THOUGHT
from cim.ports.clock import Clock, stamp
from cim.ports.log import Log
from cim.processes.step import made_id


class Diverged(CimError):
    """A run that is made again asks something else than it did before."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run to be made: its place in the log, what caused it, what stands at its beginning, and the persons
    of whose personal values it may speak."""

    ref: Ref
    cause: Origin
    began: Began
    persons: tuple[Ref, ...] = ()


class Journal:
    """The steps of one run. Who makes the run notes each step before it goes on from it; a run that is made
    again is given what is noted."""

    def __init__(self, run: Run, log: Log, clock: Clock, source: str, sealing: Sealing) -> None:
        self.run = run
        self._log, self._clock, self._source, self._sealing = log, clock, source, sealing
        self._head = Head()

    async def recall(self) -> tuple[Began, list[Step]]:
        """How the run began and the steps that were finished; writes that it begins where the log does not
        say so yet.

        Raises :class:`cim.log.chain.BrokenChain`, :class:`cim.domain.errors.CimError` for what was erased.
        """
        self._head, found = Head(), list[Said]()
        async for commit in self._log.read(self.run.ref.events, 0):
            self._head = self._head.advance(commit)
            found.append(read_said(commit, self._sealing.body(commit)))
        if not found:
            await self._write(self.run.began, made_id(self.run.ref.id, "began"))
        began = found[0] if found and isinstance(found[0], Began) else self.run.began
        return began, [one for one in found if isinstance(one, Step)]

    async def note(self, step: Step) -> None:
        """Write down a step. Raises :class:`Unavailable` where another process makes this run, or the log
        does not say whether the step is in it: the run goes on from what the log holds then."""
        await self._write(step, made_id(self.run.ref.id, step.think, step.number))

    async def _write(self, said: Said, id: str) -> None:
        try:
            outcome = await append(self._log, self._clock, self._commit(said, id), self._head)
        except OutcomeUnknown as unknown:
            raise Unavailable(str(unknown)) from unknown
        if isinstance(outcome, Overtaken):
            raise Unavailable(f"{self.run.ref}: another process makes this run")
        self._head = self._head.advance(outcome.commit)

    def _commit(self, said: Said, id: str) -> Commit:
        item = item_of(said)
        if self.run.persons:
            names = SEALABLE[type(said)]
            sealed = {name: self._sealed(item.type, name, getattr(said, name)) for name in names}
            item = codec.Item(item.type, item.version, {**item.data, **sealed})
        return Commit(
            subject=self.run.ref.events,
            number=0,
            origin=self.run.cause.child(id),
            source=self._source,
            type=f"{self.run.ref.context}.{self.run.ref.entity}.{THOUGHT}",
            time=stamp(self._clock),
            schema=dataschema((type(said),)),
            body=codec.encode([item]),
        )

    def _sealed(self, type: str, field: str, text: str) -> object:
        return self._sealing.seal_text(self.run.ref.events, type, field, text, *self.run.persons)


class Replay:
    """The steps of a run that are known already, given out in their places."""

    def __init__(self, steps: list[Step]) -> None:
        self._steps = {(step.think, step.number): step for step in steps}

    def find(self, think: int, number: int, what: str, digest: str) -> Step | None:
        """The step at a place, if it was finished; raises :class:`Diverged` where another one was."""
        found = self._steps.get((think, number))
        if found is not None and (found.what, found.digest) != (what, digest):
            now = "asks its model something else" if what == found.what == MODEL else f"does {what}"
            raise Diverged(
                f"step {think}.{number} was {found.what} when this run began, and now it {now}: its code, "
                f"its prompt or its tools were changed meanwhile, or what it is told does not follow from "
                f"its inputs. Have it made anew with `cim retry`"
            )
        return found
