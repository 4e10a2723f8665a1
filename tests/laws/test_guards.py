"""Every guard taken away, one at a time: the simulation must see it.

See :mod:`cim.testing.guard`.
"""

import pytest

from cim.actors.actor import Actor
from cim.actors.past import Past
from cim.actors.together import _catch_up, handle_together
from cim.adapters.memory.log import MemoryLog
from cim.log.append import append
from cim.log.chain import Head
from cim.log.consumer import consume
from cim.log.grouped import Grouped
from cim.processes.pending import Pending, Waiting
from cim.processes.reactor import Reactor
from cim.testing.guard import Guard
from cim.testing.simulation import live
from cim.world.due import is_due
from cim.world.schedule import Schedule
from cim.world.world import World
from cim.world.writer import Writer, _failure, _taken_away

SEEDS = range(80)


GUARDS = {
    "the expectation is ignored": Guard(MemoryLog.attempt, "if actual != expected:", "if False:"),
    "a receipt is given before the commit": Guard(
        Actor.handle,
        "outcome = await append(log, clock, commit, self.head)",
        "asyncio.ensure_future(append(log, clock, commit, self.head)); "
        "outcome = Appended(self.head.link(commit).at(await log.last() + 1))",
    ),
    "a mismatch is swallowed": Guard(
        append,
        "return answer if isinstance(answer, Unclear) else",
        "return Appended(linked.at(await log.last())) if isinstance(answer, Unclear) else",
    ),
    "the id is not compared when it is read back": Guard(
        append, "if found.id == linked.id else Overtaken(found)", ""
    ),
    "what stands there is never ours": Guard(
        append, "Appended(found) if found.id == linked.id else Overtaken(found)", "Overtaken(found)"
    ),
    "nothing is caught up after another went ahead": Guard(
        Actor.handle, "await self.catch_up(log)\n            fresh = True", "fresh = True"
    ),
    "a rejection is made on what was known": Guard(
        Actor.handle, "if fresh:\n                    return", "if True:\n                    return"
    ),
    "an entity is not loaded before it decides": Guard(
        Actor.handle, "await self.catch_up(log)\n        while", "pass\n        while"
    ),
    "a write that spans entities is stored in part": Guard(
        MemoryLog.attempt_together,
        "return Unclear(",
        "parts = [one for one in parts if one[0] is not commit] or [parts[0]]; continue; (",
    ),
    "the expectations of a write that spans entities are ignored": Guard(
        MemoryLog.attempt_together, "if actual != expected:", "if False:"
    ),
    "entities are not caught up before a rule decides anew": Guard(
        handle_together,
        "await _catch_up(actors, log)\n            fresh = True\n        return",
        "fresh = True\n        return",
    ),
    "the entities of a rule are read at several moments": Guard(
        _catch_up, "while before != (now := [actor.head for actor in actors]):", "for now in ([],):"
    ),
    "a rule rejects on what was known": Guard(
        handle_together, "if fresh:\n                    return", "if True:\n                    return"
    ),
    "a rule works without the mailboxes": Guard(
        handle_together, "await stack.enter_async_context(actor.mailbox)", "pass"
    ),
    "a rule's command that was seen is forgotten": Guard(
        handle_together, "(earlier := await _earlier(asked, actors, log, fresh=fresh))", "(earlier := None)"
    ),
    "each of a group is told the place of the last": Guard(
        Grouped._together, "Stored(first + place)", "Stored(first + len(group) - 1)"
    ),
    "nobody is told of what changed": Guard(World.apply, "self.tell(entity)", "pass"),
    "an id that was seen is forgotten": Guard(
        Actor.handle, "while (earlier", "self.past.recent.pop(asked.origin.id, None)\n        while (earlier"
    ),
    "another command under the same id gets the receipt": Guard(
        Actor.earlier, "if self._is_same(digest, asked):", "if True:"
    ),
    "entities are worked on without a mailbox": Guard(Actor.handle, "async with self.mailbox:", "if True:"),
    "the chain's digests are not checked": Guard(
        Head.advance, "if commit.previous != self.digest:", "if False:"
    ),
    "the chain's numbers are not checked": Guard(
        Head.advance, "if commit.number != self.number + 1:", "if False:"
    ),
    "a run is written though it was made already": Guard(
        Writer._append, "is_wanted(call) and holds(call)", "holds(call)"
    ),
    "a run is written though its inputs were replaced": Guard(
        Writer._append,
        "is_wanted(call) and holds(call)",
        "is_wanted(call)",
    ),
    "what a run no longer brings is not taken away": Guard(_taken_away, "return [", "return [] and ["),
    "a failure stays when its cause is gone": Guard(
        _failure, "return [codec.Item(FAILED, 1, None)] if key in call.entity.cells else []", "return []"
    ),
    "what changed since a run is not looked at": Guard(
        is_due, "return any(not _is_made", "return False and any(not _is_made"
    ),
    "a parked entity is worked on": Guard(is_due, " or entity.stopped is not None", ""),
    "a failure of the link is a failure of the run": Guard(
        Schedule._record, "except LinkLost:", "except ZeroDivisionError:"
    ),
    "what is away is a failure of the run": Guard(
        Schedule._record,
        "except (Unavailable, ConnectionError, TimeoutError) as error:",
        "except ZeroDivisionError as error:",
    ),
    "a reader begins anew when its link was lost": Guard(consume, "after = batch[-1].sequence", "pass"),
    "a reader's cursor runs ahead": Guard(
        consume, "after = batch[-1].sequence", "after = batch[-1].sequence + 1"
    ),
    "an id from before the snapshot is not looked up": Guard(
        Past.find, "if place.sequence is None:", "if True:"
    ),
    "an id is looked up in a snapshot that is gone": Guard(
        Past.find,
        "if place.digest is None or place.digest not in (self._behind, self._next):",
        "if False:",
    ),
    "an id that is being kept is in neither place": Guard(Past.find, " or self._leaving.get(id)", ""),
    "ids that could not be kept are forgotten": Guard(
        Past._written, "self.recent = {**self._leaving, **self.recent}", "pass"
    ),
    "a process reacts before it knows what it has answered": Guard(
        Reactor._one, "await self.reached(instance.head.sequence)", "pass"
    ),
    "nobody looks at the log for what was left to do": Guard(Reactor.run, "self._wake(key)", "pass"),
    "every process delivers": Guard(
        Reactor._is_held, "return bool(waiting.errands) and not self._delivers", "return False"
    ),
    "a timer comes before its time": Guard(
        Waiting.next, "first.due <= now", "first.due <= now.replace(year=2030)"
    ),
    "what is cancelled comes": Guard(
        Pending._take_step,
        "case Cancels(timer, data):\n                waiting.alarms.pop(timer_key(timer, data), None)",
        "case Cancels(timer, data):\n                pass",
    ),
    "a position passes over what is under way": Guard(Pending.settled, "commit.sequence < before", "True"),
    "what a reaction stands behind is reacted to later": Guard(
        Waiting.drop,
        "while self.triggers.popleft().id != work:\n            pass",
        "self.triggers = deque(one for one in self.triggers if one.id != work)",
    ),
    "a lost link ends a reader": Guard(consume, "await clock.sleep(next(waits))", "raise"),
}


@pytest.mark.parametrize("name", GUARDS)
def test_the_simulation_sees_that(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = GUARDS[name]
    monkeypatch.setattr(guard.function, "__code__", guard.code())
    for seed in SEEDS:
        life = live(seed)
        if life.wrong:
            print(f"seed {seed} sees it: {life.wrong[0]}")
            return
    pytest.fail(f"{len(SEEDS)} lives without the guard ended as they should")
