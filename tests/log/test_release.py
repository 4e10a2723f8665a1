"""A release: an entry on the subject itself that names what is passed over."""

from collections.abc import Callable

import pytest

from cim.adapters.memory.log import MemoryLog
from cim.contract import codec
from cim.contract.envelope import Commit, Origin
from cim.contract.stranger import Stranger
from cim.log.append import Appended, append
from cim.log.chain import BrokenChain, Head
from cim.log.release import RELEASE, NotFound, Released, is_released, release, released
from cim.ports.log import Log, Stored, Unclear
from cim.testing.clock import HandClock

Make = Callable[..., Commit]
SUBJECT = "evt.shop.Jar.j1"
PERSON = Origin.root("r1", "person:anna")


async def free(log: Log, sequence: int, origin: Origin = PERSON) -> Commit:
    return await release(log, HandClock(jumps=True), "cim:test", origin, SUBJECT, sequence, "a wrong program")


async def add(log: Log, commit: Commit, head: Head) -> Head:
    outcome = await append(log, HandClock(jumps=True), commit, head)
    assert isinstance(outcome, Appended)
    return head.advance(outcome.commit)


async def everything(log: Log) -> list[Commit]:
    return [one async for one in log.read(SUBJECT)]


async def test_it_says_who_passed_over_what_and_why_and_links_behind_what_follows(make: Make) -> None:
    log = MemoryLog()
    head = await add(log, make("a"), Head())
    strange = await log.intrude(SUBJECT, {}, b"junk")
    written = await free(log, strange)
    found = (await everything(log))[1]
    assert isinstance(found, Stranger)
    assert released(written) == Released(found.digest, 2, "a wrong program")
    assert (written.origin.owner, written.type, written.sequence) == ("person:anna", RELEASE, 3)
    assert head.past(found) == head
    assert head.advance(written).number == 2
    assert released((await everything(log))[0]) is None


async def test_a_stranger_does_not_follow_and_is_named(make: Make) -> None:
    log = MemoryLog()
    await log.intrude(SUBJECT, {}, b"junk")
    with pytest.raises(BrokenChain, match=r"j1 at sequence 1: no machine wrote this message: header ce-"):
        Head().advance((await everything(log))[0])


async def test_it_names_what_stands_before_it_and_nothing_behind(make: Make) -> None:
    log = MemoryLog()
    for _ in range(2):
        await log.intrude(SUBJECT, {}, b"junk")
    await free(log, 1)
    await log.intrude(SUBJECT, {}, b"junk")
    await log.intrude(SUBJECT, {}, b"other junk")
    strangers = [one for one in await everything(log) if isinstance(one, Stranger)]
    assert [await is_released(log, one) for one in strangers] == [True, True, False, False]


async def test_it_is_written_behind_whatever_came_meanwhile(make: Make) -> None:
    class Busy(MemoryLog):
        """Somebody else writes once more between a look at the subject and the attempt."""

        left = 1

        async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
            if self.left:
                self.left -= 1
                await self.intrude(SUBJECT, {}, b"more junk")
            return await super().attempt(commit, expected)

    log = Busy()
    await log.intrude(SUBJECT, {}, b"junk")
    written = await free(log, 1)
    assert (written.sequence, written.number) == (3, 1)


async def test_a_message_that_is_not_there_cannot_be_released() -> None:
    log = MemoryLog()
    await log.intrude("evt.shop.Jar.j2", {}, b"junk")
    with pytest.raises(NotFound, match=r"evt\.shop\.Jar\.j1 has no message at sequence 1"):
        await free(log, 1)
    assert await log.last() == 1


def test_a_release_that_cannot_be_read_says_so(make: Make) -> None:
    with pytest.raises(codec.BadBody, match=r"a cim\.Released holds one item, not 0"):
        released(Commit(SUBJECT, 1, PERSON, "", RELEASE, "", "", b"[]"))


async def test_a_release_sent_again_is_the_first_one(make: Make) -> None:
    log = MemoryLog()
    strange = await log.intrude(SUBJECT, {}, b"junk")
    first = await free(log, strange)
    assert await free(log, strange) == first
    assert len(await everything(log)) == 2
    other = await free(log, strange, Origin.root("r2", "person:ben"))
    assert (other.id, len(await everything(log))) == ("r2", 3)
