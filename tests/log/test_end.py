"""How far the log is, as heard by who follows it."""

from cim.adapters.memory.log import MemoryLog
from cim.log.end import LogEnd
from cim.testing.log_conformance import commit, store


async def test_it_is_asked_of_the_log_only_while_who_follows_it_is_not_at_its_end() -> None:
    log = MemoryLog()
    end = LogEnd(log)
    first = await store(log, commit("evt.documents.Document.a", "a"))
    second = await store(log, commit("evt.documents.Document.b", "b"))
    assert await end.last() == 2
    end.take([first])
    assert await end.last() == 2, "there is more to come"
    end.take([second])
    end.take([])
    await store(log, commit("evt.documents.Document.c", "c"))
    assert await end.last() == 2, "not asked: it has not come yet"
    end.lose()
    assert await end.last() == 3
    end.take([])
    assert await end.last() == 2
