"""All entities of a machine at their mailboxes: the warm ones are kept, the rest are loaded."""

from collections import OrderedDict
from collections.abc import Iterable

from cim.actors.actor import Actor
from cim.actors.past import Keeping
from cim.actors.request import Asked, Receipt, Rejection
from cim.actors.together import handle_together
from cim.contract.composition import Composition
from cim.contract.subjects import Ref
from cim.log.sealing import Sealing
from cim.ports.clock import Clock
from cim.ports.log import Log


class Actors:
    """Hands each command to its entity; other entities go on meanwhile.

    Warm entities are held up to ``warm`` of them, the least lately used let go first. A warm state
    needs no check before it is used: the append's expectation is the check. With ``keeping`` a long
    history is not read again: see :mod:`cim.actors.past`.
    """

    def __init__(
        self,
        composition: Composition,
        log: Log,
        clock: Clock,
        source: str,
        warm: int = 10_000,
        sealing: Sealing | None = None,
        keeping: Keeping | None = None,
    ) -> None:
        self._composition, self._log, self._clock, self._source = composition, log, clock, source
        self._sealing = sealing or Sealing()
        self._rules = composition.rules
        self._limit, self._keeping = warm, keeping
        # By the reference as a plain tuple: a dataclass compares and hashes itself in Python.
        self._warm: OrderedDict[tuple[str, str, str], Actor] = OrderedDict()

    async def handle(self, asked: Asked) -> Receipt | Rejection:
        """Decide one command; see :meth:`Actor.handle` and :func:`handle_together`.

        Raises :class:`Unknown` for a strange entity.
        """
        rule = self._rules and self._rules.get((asked.ref.context, type(asked.command).__name__))
        refs = rule.refs(asked.command) if rule else (asked.ref,)
        actors = [self._actor(ref) for ref in refs]
        try:
            if rule:
                return await handle_together(rule, asked, actors, self._log, self._clock)
            return await actors[0].handle(asked, self._log, self._clock)
        except Exception:
            # What they half knew is dropped: the next command loads them from the log.
            for ref in refs:
                self._warm.pop(_key(ref), None)
            raise

    def forget(self, refs: Iterable[Ref]) -> None:
        """Let these entities go: what they hold is no longer what their history says to a reader."""
        for ref in refs:
            self._warm.pop(_key(ref), None)

    def _actor(self, ref: Ref) -> Actor:
        key = _key(ref)
        actor = self._warm.get(key)
        if actor is not None:
            self._warm.move_to_end(key)
            return actor
        kind = self._composition.entity(ref.context, ref.entity)
        sealing = self._sealing if kind.personal else None
        actor = self._warm[key] = Actor(ref, kind, self._source, sealing, self._keeping)
        if len(self._warm) > self._limit:
            self._let_go()
        return actor

    def _let_go(self) -> None:
        """Forget the coldest entity that is not at work."""
        for key, actor in self._warm.items():
            if not actor.mailbox.locked():
                actor.past.part(actor.head, actor.state)
                del self._warm[key]
                return


def _key(ref: Ref) -> tuple[str, str, str]:
    return ref.context, ref.entity, ref.id
