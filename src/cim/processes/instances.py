"""The instances that are held in memory: the warm ones are kept, the rest are loaded."""

from collections import OrderedDict
from collections.abc import Collection

from cim.contract.envelope import Commit
from cim.contract.process import ProcessType
from cim.log.chain import BrokenChain
from cim.log.sealing import Sealing
from cim.ports.log import Log
from cim.processes.instance import Instance
from cim.processes.pending import Key

WARM = 1000
"""How many instances are held, so that the next reaction need not read their history."""


class Instances:
    """Instances as the log has them. ``unreadable`` are those whose own history is broken, with the cause."""

    def __init__(self, log: Log, sealing: Sealing, at_work: Collection[Key]) -> None:
        self._log, self._sealing, self._at_work = log, sealing, at_work
        self._warm: OrderedDict[Key, Instance] = OrderedDict()
        self._keys: dict[str, Key] = {}
        self.unreadable: dict[Key, str] = {}

    async def get(self, kind: ProcessType, key: Key) -> Instance | None:
        """The instance, caught up with what is known to stand in the log; None where it is unreadable."""
        ref = kind.ref(key[1])
        instance = self._warm.pop(key, None) or Instance(kind, ref, kind.state(), self._sealing)
        self._warm[key], self._keys[ref.events] = instance, key
        self._let_go()
        try:
            if instance.head.sequence == 0 or instance.seen > instance.head.sequence:
                await instance.catch_up(self._log)
        except BrokenChain as error:
            self._warm.pop(key, None)
            self.unreadable[key] = str(error)
            return None
        except BaseException:  # what was read in part knows less than it seems to
            self._warm.pop(key, None)
            raise
        return instance

    def saw(self, commit: Commit) -> None:
        """Know of a commit that stands in the log."""
        key = self._keys.get(commit.subject)
        if key is not None:
            self.unreadable.pop(key, None)
            if key in self._warm:
                self._warm[key].seen = commit.sequence
            else:
                del self._keys[commit.subject]

    def is_current(self, key: Key, instance: Instance) -> bool:
        """Whether nothing of its history is known to stand in the log that this instance has not taken in."""
        return self._warm.get(key) is instance and instance.seen <= instance.head.sequence

    def forget(self) -> None:
        """Let all go: what they hold is no longer what their history says to a reader."""
        for key in list(self._warm):
            del self._keys[self._warm.pop(key).ref.events]

    def _let_go(self) -> None:
        """Forget what was at work the longest ago."""
        if len(self._warm) > WARM:
            key = next((one for one in self._warm if one not in self._at_work), None)
            if key is not None:
                del self._keys[self._warm.pop(key).ref.events]
