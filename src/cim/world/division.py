"""Which of the processes that run a system has an entity: each decides it alone, and they agree.

By weighted rendezvous hashing (Thaler and Ravishankar 1998; Schindelhauer and Schomaker 2005): each process
scores each entity, the highest score has it, and who comes or goes moves its own share alone. Who does not
know of another yet does too much, never too little; effects stand once in any case.
"""

import math
from dataclasses import dataclass
from hashlib import blake2b

from cim.contract.subjects import Ref

SILENT = 5.0
"""Seconds after which a process of which nothing is heard has no share any more."""


@dataclass(frozen=True, slots=True)
class Member:
    """A process: its id, the systems that it runs, and how many runs it makes at once."""

    id: str
    systems: frozenset[str]
    workers: int


class Division:
    """The processes that one of them, ``own``, knows of, itself among them."""

    def __init__(self, own: Member) -> None:
        self.own = own
        self._others: dict[str, tuple[Member, float]] = {}

    def hear(self, member: Member, now: float) -> bool:
        """A process tells of itself at a moment; whether it was not known before."""
        if member.id == self.own.id:
            return False
        is_new = member.id not in self._others
        self._others[member.id] = member, now
        return is_new

    def leave(self, id: str) -> bool:
        """A process says that it goes; whether it had a share."""
        return self._others.pop(id, None) is not None

    def expire(self, now: float) -> bool:
        """Forget those that are silent for too long; whether there were any."""
        gone = [id for id, (_, heard) in self._others.items() if now - heard > SILENT]
        for id in gone:
            self.leave(id)
        return bool(gone)

    def is_mine(self, system: str, ref: Ref) -> bool:
        """Whether the runs of a system on an entity are this process's."""
        rivals = [other for other, _ in self._others.values() if system in other.systems]
        if not rivals:
            return True
        mine = (_score(self.own, ref), self.own.id)
        return all((_score(one, ref), one.id) < mine for one in rivals)


def _score(member: Member, ref: Ref) -> float:
    digest = blake2b(f"{member.id} {ref}".encode(errors="surrogatepass"), digest_size=8).digest()
    chance = (int.from_bytes(digest, "big") + 1) / (2**64 + 2)
    return member.workers / -math.log(chance)
