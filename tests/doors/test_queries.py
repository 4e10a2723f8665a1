"""The door for queries: each question is answered, and what is wrong with it is named."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from cim.adapters.sqlite.rows import SqliteRows
from cim.adapters.system import SystemClock
from cim.contract.subjects import MACHINE
from cim.doors.queries import QueryDoor
from cim.doors.serving import Request, serve
from cim.projections.answers import Answers
from cim.views.live import LiveQueries

from .conftest import Doors
from .test_commands import A, write


async def ask(doors: Doors, subject: str, content: bytes = b"") -> dict[str, Any]:
    message = await doors.leaf.client.request(subject, content, timeout=10)
    return msgspec.json.decode(message.data, type=dict[str, Any])


def open_queries(doors: Doors, live: Any = None) -> AbstractAsyncContextManager[None]:
    answers = Answers({}, SqliteRows(Path("nowhere")), doors.log.last, SystemClock(), 5.0)
    door = QueryDoor(doors.composition, doors.world, answers, live)
    return door.serve(doors.leaf.client, (MACHINE, "notes"), doors.trouble.append)


class Failing:
    """Live queries that break on every question."""

    names = ("notes.board",)

    async def answer(self, name: str, session: str, body: bytes) -> dict[str, Any]:
        raise KeyError(name)


async def test_the_world_tells_where_it_stands(serving: Doors) -> None:
    async with open_queries(serving):
        before = await ask(serving, "qry.cim.world.test")
        await write(serving, A, "id-1")
        await serving.world.reached(1)
        after = await ask(serving, "qry.cim.world.test")
    assert (before["sequence"], after["sequence"]) == (0, 1)
    assert after["digest"] != before["digest"]
    assert after["fingerprint"] == await serving.world.fingerprint()


@pytest.mark.parametrize(
    ("subject", "error"),
    [
        ("qry.notes.board.test", "there is no query notes.board here; there are: none"),
        ("qry.cim.world", "is not qry.<context>.<name>.<sender>"),
        ("qry.cim.world.test.more", "is not qry.<context>.<name>.<sender>"),
    ],
)
async def test_a_question_that_cannot_be_answered_is_told(doors: Doors, subject: str, error: str) -> None:
    async with open_queries(doors):
        assert error in (await ask(doors, subject))["error"]
    assert doors.trouble == []


async def test_an_exception_inside_an_answer_is_answered_and_told(doors: Doors) -> None:
    async with open_queries(doors, cast("LiveQueries", Failing())):
        answer = await ask(doors, "qry.notes.board.test")
    assert answer == {"error": "the machine failed on it: KeyError: 'notes.board'"}
    assert doors.trouble == ["qry.notes.board.test: KeyError: 'notes.board'"]


async def test_an_answer_that_is_too_large_is_told_as_such(doors: Doors) -> None:
    async def answer(request: Request) -> dict[str, Any]:
        return {"rows": "x" * doors.leaf.client.max_payload}

    async with serve(doors.leaf.client, "qry.>", answer, doors.trouble.append):
        assert "fit in a message: ask for less" in (await ask(doors, "qry.notes.board.test"))["error"]
