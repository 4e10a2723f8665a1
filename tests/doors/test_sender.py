"""Sending a command: repeated until it is answered, and an end that says what is known."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack

import pytest
from nats.aio.msg import Msg

from cim.adapters.nats.link import connect
from cim.adapters.system import SystemClock
from cim.contract.codec import json_bytes
from cim.contract.envelope import Origin
from cim.domain.errors import CimError
from cim.doors.sender import NoHandler, send
from cim.log.append import OutcomeUnknown
from cim.ports.clock import Clock
from cim.ports.log import LogRefused
from cim.testing.processes import stop_for_now

from .conftest import Doors, Note, Write

ORIGIN = Origin.root("id-1", "person:tester")


async def sent(
    doors: Doors, text: str = "hello", patience: float = 20.0, clock: Clock | None = None
) -> dict[str, object]:
    kind = doors.composition.command("notes", "Write")
    assert kind.state is Note
    command = Write("a", text)
    # A connection of its own, as another process has.
    async with connect(doors.leaf.server.url, doors.leaf.user, "sender") as client:
        return dict(await send(client, clock or SystemClock(), kind, command, ORIGIN, "test", patience))


async def test_a_command_is_sent_and_its_receipt_returned(serving: Doors) -> None:
    receipt = {"command": "id-1", "entity": "a", "sequence": 1, "correlation": "id-1"}
    assert await sent(serving) == receipt
    assert await sent(serving) == receipt


async def test_a_rejection_is_returned(serving: Doors) -> None:
    assert "rejected" in await sent(serving, "no")


async def test_nobody_who_takes_it_is_told_by_name(doors: Doors) -> None:
    with pytest.raises(NoHandler, match=r"notes\.Write: no running leaf takes it; start one"):
        await sent(doors, patience=0.3)


async def test_a_leaf_that_opens_meanwhile_takes_it(doors: Doors) -> None:
    async with AsyncExitStack() as stack:

        class Opening(SystemClock):
            """Whoever waits for the next try finds the door open."""

            async def sleep(self, seconds: float) -> None:
                door = doors.commands.serve(doors.leaf.client, doors.trouble.append)
                await stack.enter_async_context(door)

        assert (await sent(doors, clock=Opening()))["sequence"] == 1


async def test_what_is_too_large_is_told_before_it_is_sent(serving: Doors) -> None:
    with pytest.raises(LogRefused, match="put large content into a Blob"):
        await sent(serving, "x" * serving.leaf.client.max_payload)


async def test_the_doors_own_words_are_raised(doors: Doors) -> None:
    await doors.leaf.client.subscribe("cmd.>", cb=_refuse)
    with pytest.raises(CimError, match=r"^not today$"):
        await sent(doors)


async def _refuse(message: Msg) -> None:
    await message.respond(json_bytes({"error": "not today"}))


async def test_a_door_that_does_not_reach_its_log_is_asked_again(doors: Doors) -> None:
    asked: list[str] = []

    async def answer(message: Msg) -> None:
        asked.append(message.subject)
        again = len(asked) < 3
        await message.respond(json_bytes({"error": "no log", "again": True} if again else {"sequence": 1}))

    await doors.leaf.client.subscribe("cmd.>", cb=answer)
    assert await sent(doors) == {"sequence": 1}
    assert len(asked) == 3


async def test_no_answer_in_time_is_an_unknown_outcome_with_the_id(doors: Doors) -> None:
    async def silent(message: Msg) -> None:
        return

    await doors.leaf.client.subscribe("cmd.>", cb=silent)
    with pytest.raises(OutcomeUnknown, match=r"notes\.Write: outcome unknown after 0.3 s .*--id id-1"):
        await sent(doors, patience=0.3)


async def test_a_door_that_went_away_after_it_was_asked_leaves_the_outcome_unknown(doors: Doors) -> None:
    async def take_and_go(message: Msg) -> None:
        await taking.unsubscribe()
        await message.respond(json_bytes({"error": "the log was not reached", "again": True}))

    taking = await doors.leaf.client.subscribe("cmd.>", cb=take_and_go)
    with pytest.raises(OutcomeUnknown, match="--id id-1"):
        await sent(doors, patience=0.5)


async def test_a_stopped_leaf_leaves_the_outcome_unknown_and_sending_again_has_one_effect(
    serving: Doors,
) -> None:
    kind = serving.composition.command("notes", "Write")
    server = serving.leaf.server
    async with connect(server.url, serving.leaf.user, "sender") as client:
        stop_for_now(server.pid)
        try:
            with pytest.raises(OutcomeUnknown, match="--id id-1"):
                await send(client, SystemClock(), kind, Write("a", "hello"), ORIGIN, "test", 0.5)
        finally:
            os.kill(server.pid, signal.SIGCONT)
        answer = await send(client, SystemClock(), kind, Write("a", "hello"), ORIGIN, "test", 20.0)
    assert answer["sequence"] == 1
    assert len(await serving.subjects()) == 1


async def test_a_command_whose_server_is_killed_is_asked_again(serving: Doors) -> None:
    waiting = asyncio.Event()
    handle = serving.commands._actors.handle

    async def slow(asked: object) -> object:
        if not waiting.is_set():
            waiting.set()
            await asyncio.Event().wait()
        return await handle(asked)  # type: ignore[arg-type]

    serving.commands._actors.handle = slow  # type: ignore[method-assign, assignment]
    sending = asyncio.create_task(sent(serving))
    await waiting.wait()
    os.kill(serving.leaf.server.pid, signal.SIGKILL)
    assert (await sending)["sequence"] == 1
    assert len(await serving.subjects()) == 1
