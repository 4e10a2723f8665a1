"""The door for commands over a real server: each request is answered, and what is wrong with it is named."""

import asyncio
from typing import Any

import msgspec
import pytest

from cim.contract.codec import Item, encode
from cim.contract.envelope import Origin
from cim.contract.subjects import Ref

from .conftest import Doors

A, B = Ref("notes", "Note", "a"), Ref("notes", "Note", "b")
ORIGIN = Origin.root("id-1", "person:tester")


def body(name: str, **data: Any) -> bytes:
    return encode([Item(name, 1, data)])


WRITE = body("Write", note="a", text="hello")


async def ask(
    doors: Doors, subject: str, content: bytes, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """A request as any program of the machine can make it."""
    given = ORIGIN.headers() if headers is None else headers
    message = await doors.leaf.client.request(subject, content, timeout=10, headers=given or None)
    return msgspec.json.decode(message.data, type=dict[str, Any])


async def write(doors: Doors, ref: Ref, id: str, text: str = "hello") -> dict[str, Any]:
    """A well-formed command."""
    content = body("Write", note=ref.id, text=text)
    return await ask(doors, ref.command("Write", "test"), content, Origin.root(id, "person:tester").headers())


async def test_a_command_gets_its_receipt(serving: Doors) -> None:
    answer = await ask(serving, A.command("Write", "test"), WRITE)
    assert answer == {"command": "id-1", "entity": "a", "sequence": 1, "correlation": "id-1"}
    stored = await serving.log.next_on(A.events, 0)
    assert stored is not None
    assert stored.origin == ORIGIN
    assert stored.body == body("Written", text="hello")


async def test_a_command_sent_again_gets_its_first_receipt(serving: Doors) -> None:
    first = await write(serving, A, "id-1")
    await write(serving, A, "id-2", "more")
    assert await write(serving, A, "id-1") == first
    assert len(await serving.subjects()) == 2


async def test_the_same_command_sent_many_times_at_once_has_one_effect(serving: Doors) -> None:
    answers = await asyncio.gather(*(write(serving, A, "id-1") for _ in range(20)))
    assert answers == [answers[0]] * 20
    assert await serving.subjects() == [A.events]


async def test_a_command_without_an_event_leaves_its_id(serving: Doors) -> None:
    answer = await write(serving, A, "id-1", "")
    assert answer["sequence"] == 1
    assert (await write(serving, A, "id-1", "other"))["rejected"]["reason"].startswith("id id-1 was used")


async def test_a_rejection_names_its_reason_leaves_no_trace_and_frees_its_id(serving: Doors) -> None:
    answer = await write(serving, A, "id-1", "no")
    assert answer == {"rejected": {"by": "notes.Note a", "reason": "no is no text"}}
    assert await serving.subjects() == []
    assert (await write(serving, B, "id-1"))["sequence"] == 1


async def test_an_id_is_good_for_one_entity_from_the_moment_it_is_used(serving: Doors) -> None:
    answers = await asyncio.gather(*(write(serving, ref, "id-1") for ref in (A, B)))
    refused = [answer["rejected"] for answer in answers if "rejected" in answer]
    assert len(refused) == 1
    assert "id id-1 was used for a command to notes.Note " in refused[0]["reason"]
    for _ in range(20):
        await write(serving, A, "id-2")
        assert "rejected" in await write(serving, B, "id-2")
    assert len(await serving.subjects()) == 2


async def test_an_id_of_the_log_is_known_after_a_start(serving: Doors) -> None:
    await write(serving, A, "id-1")
    await serving.world.reached(1)
    serving.commands._taken.clear()
    assert "was used for a command to notes.Note a" in (await write(serving, B, "id-1"))["rejected"]["reason"]


BIG = "x" * 200

HEADERS = ORIGIN.headers()


@pytest.mark.parametrize(
    ("subject", "content", "headers", "error"),
    [
        (
            "cmd.letters.Note.a.Write.test",
            WRITE,
            HEADERS,
            "declares the entity letters.Note; there are: notes.Note",
        ),
        ("cmd.notes.Letter.a.Write.test", WRITE, HEADERS, "declares the entity notes.Letter"),
        (
            "cmd.notes.Note.a.Erase.test",
            WRITE,
            HEADERS,
            "notes.Note takes no command Erase; it takes Write, Attach",
        ),
        ("cmd.notes.Note.a.Write", WRITE, HEADERS, "is not cmd."),
        ("cmd.notes.Note.a.Write.test.more", WRITE, HEADERS, "is not cmd."),
        ("cmd.notes.Note.b.Write.test", WRITE, HEADERS, "Write for 'a' was sent to notes.Note b"),
        ("cmd.notes.Note.a.Write.test", b"", HEADERS, "body is not a JSON array"),
        ("cmd.notes.Note.a.Write.test", b"{}", HEADERS, "body is not a JSON array"),
        ("cmd.notes.Note.a.Write.test", b"[]", HEADERS, "must hold exactly one Write"),
        ("cmd.notes.Note.a.Write.test", body("Attach", note="a"), HEADERS, "must hold exactly one Write"),
        ("cmd.notes.Note.a.Write.test", body("Write", note="a"), HEADERS, "missing required field `text`"),
        ("cmd.notes.Note.a.Write.test", body("Write", note="a", text=7), HEADERS, "`$.text`"),
        (
            "cmd.notes.Note.a.Write.test",
            body("Write", note="a", text="b", color="red"),
            HEADERS,
            "Write has no field 'color': it has note, text",
        ),
        (
            "cmd.notes.Note.a.Attach.test",
            body(
                "Attach", note="a", title="t", scan={"sha256": "ab", "size": 1, "media": "a/b", "name": "c"}
            ),
            HEADERS,
            "Attach.scan has no field 'name': it has sha256, size, media",
        ),
        ("cmd.notes.Note.a.Write.test", WRITE, {}, "header ce-id is missing"),
        ("cmd.notes.Note.a.Write.test", WRITE, {"ce-id": "1"}, "header ce-correlation is missing"),
        ("cmd.notes.Note.a.Write.test", WRITE, HEADERS | {"ce-id": "a b"}, "the command's id 'a b'"),
        ("cmd.notes.Note.a.Write.test", WRITE, HEADERS | {"ce-id": BIG}, "the command's id"),
        ("cmd.notes.Note.a.Write.test", WRITE, HEADERS | {"ce-correlation": ""}, "correlation is empty"),
        ("cmd.notes.Note.a.Write.test", WRITE, HEADERS | {"ce-causation": "ö"}, "the command's causation"),
        ("cmd.notes.Note.a.Write.test", WRITE, HEADERS | {"ce-owner": BIG}, "the command's owner"),
        ("cmd.notes.Note.a.Write.test", WRITE, HEADERS | {"ce-owner": "a\x07b"}, "the command's owner"),
    ],
)
async def test_an_ill_formed_command_is_answered_by_what_is_wrong(
    serving: Doors, subject: str, content: bytes, headers: dict[str, str], error: str
) -> None:
    answer = await ask(serving, subject, content, headers)
    assert answer.keys() == {"error"}
    assert error in answer["error"]
    assert await serving.subjects() == []
    assert serving.trouble == []


async def test_a_command_whose_event_is_too_large_is_refused_and_the_next_is_taken(serving: Doors) -> None:
    room = serving.leaf.client.max_payload
    text = "x" * (room - len(body("Write", note="a", text="")) - 300)
    answer = await write(serving, A, "id-1", text)
    assert "put large content into a Blob" in answer["error"]
    assert (await write(serving, A, "id-2"))["sequence"] == 1


async def test_an_exception_inside_decide_is_answered_and_told_and_leaves_no_trace(serving: Doors) -> None:
    await write(serving, A, "id-0")
    answer = await ask(serving, A.command("Break", "test"), body("Break", note="a"))
    assert answer == {"error": "the machine failed on it: ZeroDivisionError: by zero"}
    assert serving.trouble == ["cmd.notes.Note.a.Break.test: ZeroDivisionError: by zero"]
    assert await serving.subjects() == [A.events]
    assert (await write(serving, A, "id-1"))["sequence"] == 2


async def test_the_world_holds_what_the_door_took(serving: Doors) -> None:
    await asyncio.gather(*(write(serving, Ref("notes", "Note", f"n{n}"), f"id-{n}") for n in range(50)))
    await serving.world.reached(50)
    assert {str(entity.state) for entity in [one async for one in serving.world.entities.each()]} == {
        "Note(texts=('hello',), scan=None)"
    }
