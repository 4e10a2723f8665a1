"""Doing one piece of a process's work: react, wake, deliver, or say why not. Each is one commit, once."""

from collections.abc import Awaitable, Callable
from typing import Any

from cim.actors.actors import Actors
from cim.actors.request import Asked, Rejection, content_digest
from cim.contract import codec
from cim.contract.envelope import Origin
from cim.contract.personal import personal_fields
from cim.contract.process import ProcessType
from cim.contract.shapes import known_shapes
from cim.contract.subjects import parse_stored
from cim.domain.errors import CimError
from cim.domain.process import Rejected
from cim.log.append import Appended, append
from cim.log.sealing import BadSeal, Sealing
from cim.ports.clock import Clock, stamp
from cim.ports.keys import KeyLost
from cim.ports.log import Log
from cim.processes.instance import Instance
from cim.processes.pending import Alarm, Errand, Stop, Trigger, Work
from cim.processes.reaction import Reaction
from cim.processes.step import Reacted, Refused, Stopped, Woke, made_id, moment

LONGEST_CAUSE = 500
"""Characters of what stops an instance that are kept."""


class Worker:
    """Does the work of instances. ``reached`` waits until the fold of what is pending holds a sequence."""

    def __init__(
        self,
        log: Log,
        clock: Clock,
        source: str,
        sealing: Sealing,
        reached: Callable[[int], Awaitable[None]],
    ) -> None:
        self._log, self._clock, self._source = log, clock, source
        self._sealing, self._reached = sealing, reached
        self.actors: Actors | None = None

    async def do(self, instance: Instance, work: Work) -> bool:
        """Do it and have it in the log; False where nothing follows and nothing is to be written.

        Raises whatever stops the instance: what the module's code raises, or that of the entity that a
        command is for, and what the log refuses; and :class:`LinkLost` and :class:`OutcomeUnknown`, after
        which it is to be tried again.
        """
        if instance.trouble is not None:
            raise CimError(instance.trouble)
        match work:
            case Trigger():
                return await self._react(instance, work)
            case Alarm():
                return await self._wake(instance, work)
            case Errand():
                return await self._deliver(instance, work)

    async def stop(self, instance: Instance, work: Work, cause: str, before: Stop | None) -> str:
        """Say in the log where the instance stands still, and why; once for one cause. The commit's id."""
        if before is not None and (before.work, before.cause) == (work.id, cause):
            return before.commit.id
        id = made_id("stop", work.id, cause, instance.head.number)
        await self._append(instance, _origin(work).child(id), Stopped(work.id, cause), [])
        return id

    async def _react(self, instance: Instance, trigger: Trigger) -> bool:
        commit = trigger.commit
        ref, reaction = parse_stored(commit.subject)[0], self._reaction(instance, trigger.id)
        events = instance.kind.sources[ref.context, ref.entity]
        items = codec.unread(self._sealing.body(commit))
        shapes = known_shapes(tuple(events.values()))
        for event in (event for place in trigger.places for event in shapes.read(items[place])):
            if type(event).__name__ in events and instance.takes(ref, event):
                reaction.to(event, moment(commit.time))
        if not reaction.said:
            return False
        cause = Reacted(commit.subject, commit.number, commit.id)
        return await self._write(instance, trigger, cause, reaction.said)

    async def _wake(self, instance: Instance, alarm: Alarm) -> bool:
        order = alarm.order
        timer = instance.kind.timers.get(order.timer)
        if timer is None:
            raise CimError(f"{instance.kind} takes no timer {order.timer} any more")
        reaction = self._reaction(instance, alarm.id)
        reaction.to(codec.typed(order.data, timer), alarm.due)
        cause = Woke(order.timer, order.data, order.due, alarm.origin.id)
        return await self._write(instance, alarm, cause, reaction.said)

    async def _deliver(self, instance: Instance, errand: Errand) -> bool:
        asked = self._asked(instance, errand)
        assert self.actors is not None, "a reactor that runs has actors"
        outcome = await self.actors.handle(asked)
        if not isinstance(outcome, Rejection):
            # The entity's commit is the answer: the fold finds it by the command's id.
            await self._reached(outcome.sequence)
            return True
        reaction = self._reaction(instance, errand.id)
        if errand.order.command in instance.kind.refusals:
            reaction.to(Rejected(asked.command, outcome.reason), self._clock.now())
        cause = Refused(errand.order.id, outcome.by, self._reason(instance, asked, outcome.reason))
        return await self._write(instance, errand, cause, reaction.said)

    def _reaction(self, instance: Instance, id: str) -> Reaction:
        return Reaction(instance.kind, instance.ref, id, instance.state, self._sealing)

    def _asked(self, instance: Instance, errand: Errand) -> Asked:
        """The command as it is sent, the same each time: its content is the log's, not that of newer code."""
        order = errand.order
        known = instance.kind.asks.get(order.command)
        if known is None:
            raise CimError(f"{instance.kind} asks for no {order.command} any more")
        ref = parse_stored(order.subject)[0]
        data = self._sealing.opened(instance.ref.events, order.name, order.data)
        digest = content_digest(ref, order.name, codec.encode([codec.Item(order.name, 1, data)]))
        return Asked(ref, codec.typed(data, known[1]), errand.origin.child(order.id), digest)

    def _reason(self, instance: Instance, asked: Asked, reason: str) -> Any:
        """Why a command was refused, as it is written: an entity with personal values may tell some."""
        entity, _ = instance.kind.asks[f"{asked.ref.context}.{type(asked.command).__name__}"]
        if not entity.personal:
            return reason
        found = personal_fields(type(asked.command))
        person = asked.ref if found is None else found.person_of(asked.command, asked.ref)
        return self._sealing.seal_text(instance.ref.events, "cim.Refused", "reason", reason, person)

    async def _write(self, instance: Instance, work: Work, cause: Any, said: list[Any]) -> bool:
        await self._append(instance, _origin(work).child(work.id), cause, said)
        return True

    async def _append(self, instance: Instance, origin: Origin, cause: Any, said: list[Any]) -> None:
        """Append the next commit of an instance; where another went ahead, what is pending says so."""
        commit = instance.commit(origin, self._source, stamp(self._clock), cause, said)
        outcome = await append(self._log, self._clock, commit, instance.head)
        instance.seen = max(instance.seen, outcome.commit.sequence)
        if isinstance(outcome, Appended):
            instance.apply(outcome.commit)
        await self._reached(outcome.commit.sequence)


def _origin(work: Work) -> Origin:
    """What caused the work."""
    return work.commit.origin if isinstance(work, Trigger) else work.origin


def cause_of(error: Exception, kind: ProcessType) -> str:
    """Why a process stands still, as the log and the leaf's output tell it."""
    if kind.personal and not isinstance(error, KeyLost | BadSeal):
        return f"{type(error).__name__}, whose words are not kept: they may tell what is personal"
    text = str(error) if isinstance(error, CimError) else f"{type(error).__name__}: {error}"
    text = text.encode(errors="replace").decode()
    return text if len(text) <= LONGEST_CAUSE else text[: LONGEST_CAUSE - 1] + "…"
