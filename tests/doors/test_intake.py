"""From fields as a person gives them to a command."""

import hashlib

import pytest

from cim.adapters.memory.blobs import MemoryBlobs
from cim.contract.codec import BadBody
from cim.contract.composition import compose
from cim.contract.entity import EntityType
from cim.domain.blob import Blob
from cim.doors.intake import ID_DIGITS, LARGEST, Empty, NoFile, TooLarge, take_in

from .conftest import Attach, Write, notes

PNG = b"\x89PNG\r\n\x1a\n and so on"
PNG_HEADER = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
DIGEST = hashlib.sha256(PNG).hexdigest()


@pytest.fixture
def kind() -> EntityType:
    return compose([notes]).entity("notes", "Note")


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


async def test_text_fields_become_a_command(kind: EntityType, blobs: MemoryBlobs) -> None:
    assert await take_in(kind, "Write", {"note": "a", "text": "hello"}, blobs) == Write("a", "hello")


async def test_a_file_is_stored_and_named_by_its_digest_and_its_own_type(
    kind: EntityType, blobs: MemoryBlobs
) -> None:
    command = await take_in(kind, "Attach", {"note": "a", "title": "t.pdf", "scan": PNG}, blobs)
    assert command == Attach("a", "t.pdf", Blob(DIGEST, len(PNG), "image/png"))
    assert await blobs.load(DIGEST) == PNG


async def test_a_file_alone_gives_the_entity_its_id(kind: EntityType, blobs: MemoryBlobs) -> None:
    first = await take_in(kind, "Attach", {"title": "one", "scan": PNG}, blobs)
    again = await take_in(kind, "Attach", {"title": "two", "scan": PNG}, blobs)
    assert isinstance(first, Attach)
    assert isinstance(again, Attach)
    assert first.note == again.note == DIGEST[:ID_DIGITS]


async def test_without_a_file_the_id_must_be_given(kind: EntityType, blobs: MemoryBlobs) -> None:
    with pytest.raises(BadBody, match="missing required field `note`"):
        await take_in(kind, "Write", {"text": "hello"}, blobs)


async def test_a_field_that_is_not_there_is_named_with_those_there_are(
    kind: EntityType, blobs: MemoryBlobs
) -> None:
    with pytest.raises(BadBody, match="Write has no field 'txt': it has note, text"):
        await take_in(kind, "Write", {"note": "a", "txt": "hello"}, blobs)


async def test_a_file_where_text_belongs_and_text_where_a_file_belongs_are_named(
    kind: EntityType, blobs: MemoryBlobs
) -> None:
    with pytest.raises(BadBody, match=r"Write: .*`\$\.text`"):
        await take_in(kind, "Write", {"note": "a", "text": PNG}, blobs)
    with pytest.raises(NoFile, match=r"Attach\.scan is a file: hand in its content"):
        await take_in(kind, "Attach", {"note": "a", "title": "t", "scan": "words"}, blobs)


async def test_a_file_over_the_limit_is_refused_and_not_stored(kind: EntityType, blobs: MemoryBlobs) -> None:
    with pytest.raises(TooLarge, match=r"Attach\.scan has 67,108,865 bytes: the machine takes 67,108,864"):
        await take_in(kind, "Attach", {"title": "t", "scan": bytes(LARGEST + 1)}, blobs)
    assert blobs._contents == {}


async def test_a_picture_over_the_limit_of_pixels_is_refused_and_not_stored(
    kind: EntityType, blobs: MemoryBlobs
) -> None:
    at_the_limit = PNG_HEADER + (10_000).to_bytes(4, "big") + (6_000).to_bytes(4, "big")
    await take_in(kind, "Attach", {"title": "t", "scan": at_the_limit}, blobs)
    over = PNG_HEADER + (10_000).to_bytes(4, "big") + (6_001).to_bytes(4, "big")
    with pytest.raises(
        TooLarge, match=r"Attach\.scan is a picture of 10,000 x 6,001 pixels: .* 60,000,000 at most"
    ):
        await take_in(kind, "Attach", {"title": "t", "scan": over}, blobs)
    assert list(blobs._contents.values()) == [at_the_limit]


async def test_an_empty_file_is_refused(kind: EntityType, blobs: MemoryBlobs) -> None:
    with pytest.raises(Empty, match=r"Attach\.scan is empty"):
        await take_in(kind, "Attach", {"title": "t", "scan": b""}, blobs)
