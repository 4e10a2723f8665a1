"""Writing what a run found out: one message a run, once, and never over something newer."""

from asyncio import Lock
from collections import defaultdict
from collections.abc import Callable, Iterable, Set
from contextlib import suppress
from dataclasses import replace
from typing import Any

from cim.contract import codec
from cim.contract.envelope import Commit, Derivation
from cim.contract.personal import personal_fields
from cim.contract.schema import dataschema
from cim.contract.subjects import Ref
from cim.contract.system import PLAIN
from cim.domain.component import Component, Failed
from cim.domain.errors import CimError
from cim.domain.former import version_of
from cim.log.append import OutcomeUnknown, Overtaken, append
from cim.log.asking import PROPOSED, Proposed
from cim.log.chain import Head
from cim.log.entry import entry
from cim.log.sealing import Sealing
from cim.ports.clock import Clock, stamp
from cim.ports.log import Log
from cim.processes.step import made_id
from cim.world.difference import differences
from cim.world.due import REDERIVED, Call, arguments, carrier, holds, is_wanted
from cim.world.entity import Cell
from cim.world.world import FAILED, World


class Writer:
    """Appends the outputs of runs to the log and waits until the world holds them."""

    def __init__(
        self,
        world: World,
        log: Log,
        clock: Clock,
        source: str,
        trouble: Callable[[str], None],
        sealing: Sealing | None = None,
    ) -> None:
        self._world, self._log, self._clock, self._source = world, log, clock, source
        self._trouble, self._sealing = trouble, sealing or Sealing()
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)

    async def done(self, call: Call, outputs: tuple[Component | None, ...], took: float) -> int | None:
        """Record a run that ended well; ``took`` in milliseconds. None takes a component away.

        Returns its sequence; None where it is not written, since it was made elsewhere or what it was made
        from was replaced. A run in another's place leaves alone what it makes the same: nobody wakes for it.
        """
        subject = call.entity.ref.components(call.system.owner)
        # Who was erased while the run was under way: what it found out of them comes too late.
        items = [self._sealing.item(subject, output, late=True) for output in outputs if output is not None]
        standing = set[str]()
        if REDERIVED in call.inputs:
            found = differences(call.system, call.entity, outputs, self._clock.now())
            standing = {kind.name for kind in call.system.writes if kind.key not in found}
        return await self._write(call, items, took, None, standing)

    async def failed(self, call: Call, cause: str, took: float) -> None:
        """Record a run that could not be made, with its cause."""
        await self._write(call, [], took, cause)

    async def asks(self, call: Call, said: Proposed) -> None:
        """Record that a run waits for a person, if it is still the one to be made."""
        subject = call.entity.ref.components(call.system.owner)
        persons = persons_of(call)
        if persons:
            text = self._sealing.seal_text(subject, Proposed.__name__, "arguments", said.arguments, *persons)
            said = replace(said, arguments=text)
        origin = call.cause.child(made_id(call.id, said.think, said.number, PROPOSED))
        commit = entry(subject, PROPOSED, said, origin, self._source, self._clock)
        await self._append(call, subject, lambda: commit)

    async def _write(
        self,
        call: Call,
        items: list[codec.Item],
        took: float,
        cause: str | None,
        standing: Set[str] = frozenset(),
    ) -> int | None:
        subject = call.entity.ref.components(call.system.owner)

        def commit() -> Commit:
            gone = _taken_away(call, items) if cause is None else []
            failure = [self._failed(call, subject, item) for item in _failure(call, cause)]
            brought = [item for item in items if item.type not in standing]
            return self._commit(call, subject, [*brought, *gone, *failure], took, failed=cause is not None)

        return await self._append(call, subject, commit)

    async def _append(self, call: Call, subject: str, commit: Callable[[], Commit]) -> int | None:
        """Append what a run has to say; its sequence, None where it says nothing any more."""
        async with self._locks[subject]:
            # Another process may have made the same run meanwhile, or an input may have been replaced.
            written = None
            while written is None and is_wanted(call) and holds(call):
                head = call.entity.heads.get(subject, Head())
                try:
                    outcome = await append(self._log, self._clock, commit(), head)
                except OutcomeUnknown as unknown:
                    self._trouble(str(unknown))
                    continue
                await self._world.reached(outcome.commit.sequence)
                written = None if isinstance(outcome, Overtaken) else outcome.commit.sequence
        if not self._locks[subject].locked():
            self._locks.pop(subject, None)
        return written

    def _failed(self, call: Call, subject: str, failure: codec.Item) -> codec.Item:
        """A failure as it is written: what a system that reads personal values says may hold some."""
        persons = persons_of(call)
        if failure.data is None or not persons:
            return failure
        person = persons[0]  # a cause is text for one person
        try:
            cause = self._sealing.seal_text(subject, failure.type, "cause", failure.data["cause"], person)
        except CimError as error:
            cause = f"it failed, and why cannot be sealed, which may be personal: {error}"
        return codec.Item(failure.type, failure.version, {**failure.data, "cause": cause})

    def _commit(
        self, call: Call, subject: str, items: list[codec.Item], took: float, *, failed: bool
    ) -> Commit:
        kinds: set[type[Any]] = {Failed} if failed else {kind.component for kind in call.system.writes}
        outcome = "failed" if failed else "done"
        return Commit(
            subject=subject,
            number=0,
            origin=call.cause.child(call.id),
            source=self._source,
            type=f"{call.entity.ref.context}.{call.entity.ref.entity}.Composed",
            time=stamp(self._clock),
            schema=dataschema(kinds),
            body=codec.encode(items),
            derivation=Derivation(str(call.system), call.system.version, call.inputs, took, outcome),
        )


def persons_of(call: Call) -> tuple[Ref, ...]:
    """Whose personal values a run has read, each person once."""
    persons: list[Ref] = []
    for read in call.system.reads:
        found = None if read.kind in PLAIN else personal_fields(read.type)
        if found is not None:
            person = call.entity.ref
            with suppress(CimError):  # a value that its system cannot read either
                value, own = arguments(call)[read.parameter], carrier(call, read)
                person = own if value is None else found.person_of(value, own)
            persons.append(person)
    return tuple(dict.fromkeys(persons))


def _taken_away(call: Call, items: Iterable[codec.Item]) -> Iterable[codec.Item]:
    """The system's components that the entity carries now and the run did not bring."""
    written = {item.type for item in items}
    return [
        codec.Item(kind.name, version_of(kind.component), None)
        for kind in call.system.writes
        if kind.name not in written and _is_derived(call.entity.cells.get(kind.key))
    ]


def _is_derived(cell: Cell | None) -> bool:
    # What stands there by a person's word alone is not the system's to take away.
    return cell is not None and (cell.correction is None or cell.derived is not None)


def _failure(call: Call, cause: str | None) -> Iterable[codec.Item]:
    """What the module's ``Failed`` on the entity must say after this run: this failure, another
    system's that still stands, or nothing any more."""
    if cause is not None:
        return [codec.item(Failed(str(call.system), cause))]
    prefix = f"{call.system.owner}."
    others = [
        run
        for run in call.entity.failures
        if run.system.startswith(prefix) and run.system != str(call.system)
    ]
    if others:
        return [codec.item(Failed(others[-1].system, others[-1].cause))]
    key = FAILED if call.system.owner == call.entity.ref.context else f"{call.system.owner}.{FAILED}"
    return [codec.Item(FAILED, 1, None)] if key in call.entity.cells else []
