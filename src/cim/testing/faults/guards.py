"""The guards that a fault run must be seen to need: each is taken away in the machine's processes."""

from cim.actors.actor import Actor
from cim.adapters.nats.log import NatsLog
from cim.log.append import append
from cim.projections.database import Database
from cim.testing.guard import Guard

GUARDS = {
    "no-expectation": Guard(
        NatsLog.attempt,
        "block = block_of(commit, expected)",
        'block = block_of(commit, expected).replace(b"Nats-Expected-Last-Subject-Sequence", b"Nats-Not")',
    ),
    "swallowed-mismatch": Guard(
        append,
        "return answer if isinstance(answer, Unclear) else",
        "return Appended(linked.at(await log.last())) if isinstance(answer, Unclear) else",
    ),
    "receipt-before-commit": Guard(
        Actor.handle,
        "outcome = await append(log, clock, commit, self.head)",
        "asyncio.ensure_future(append(log, clock, commit, self.head)); "
        "outcome = Appended(self.head.link(commit).at(await log.last() + 1))",
    ),
    # With a pause between the two, so that a kill is likely to come there.
    "checkpoint-before-rows": Guard(
        Database._fold,
        "sequence, digest = before.sequence, before.digest",
        "sequence, digest = before.sequence, before.digest\n"
        "        if commits and commits[-1].sequence > sequence:\n"
        "            last = commits[-1]\n"
        "            self._session.run(_WRITE, (last.sequence, last.digest, stopped, self.folding))\n"
        "            self._session.run('COMMIT')\n"
        "            __import__('time').sleep(0.2)\n"
        "            self._session.run('BEGIN IMMEDIATE')",
    ),
}
