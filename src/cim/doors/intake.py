"""From fields as a person gives them (text and files) to a command, the same for page and command line."""

from collections.abc import Mapping

from cim.contract.codec import from_text, plain
from cim.contract.entity import EntityType
from cim.domain.blob import Blob
from cim.domain.errors import CimError
from cim.domain.message import Command
from cim.doors.dimensions import dimensions
from cim.doors.media import media_of
from cim.ports.blobs import BlobStore
from cim.ports.reading import PIXEL_LIMIT

LARGEST = 64 * 1024 * 1024
"""Bytes that one file may have."""

ID_DIGITS = 16
"""Hex digits of a file's digest that make an id: 64 bits."""


class TooLarge(CimError):
    """A file over the limit of the door."""


class Empty(CimError):
    """A file without content."""


def check_size(size: int, name: str) -> None:
    """Refuse a file by name: one over the limit, or one that holds nothing."""
    if size > LARGEST:
        raise TooLarge(f"{name} has {size:,} bytes: the machine takes {LARGEST:,} at most in one file")
    if size == 0:
        raise Empty(f"{name} is empty: there is nothing to read in it")


def check_pixels(content: bytes, media: str, name: str) -> None:
    """Refuse by name a picture that says of itself that it is over the limit of pixels."""
    width, height = dimensions(content, media) or (0, 0)
    if width * height > PIXEL_LIMIT:
        raise TooLarge(
            f"{name} is a picture of {width:,} x {height:,} pixels: the machine takes {PIXEL_LIMIT:,} "
            "at most in one page; scan it at a lower resolution"
        )


class NoFile(CimError):
    """Text where a file belongs."""


async def take_in(
    kind: EntityType, name: str, fields: Mapping[str, str | bytes], blobs: BlobStore
) -> Command:
    """The command ``name`` from its fields; bytes are stored and become a Blob.

    Where the entity's key is not given and the command has exactly one file, the file's digest is the
    id, so that the same file handed in twice is the same entity. Raises :class:`CimError` naming the field.
    """
    command = kind.commands[name]
    data: dict[str, object] = {}
    stored: list[Blob] = []
    file = kind.blob_field(command)
    if isinstance(fields.get(file or ""), str):
        raise NoFile(f"{name}.{file} is a file: hand in its content (on the command line {file}=@FILE)")
    for field, value in fields.items():
        if isinstance(value, bytes):
            media = media_of(value)
            check_size(len(value), f"{name}.{field}")
            check_pixels(value, media, f"{name}.{field}")
            stored.append(await blobs.keep(value, media))
            data[field] = plain(stored[-1])
        else:
            data[field] = value
    key = kind.key_for(name)
    if key not in data and len(stored) == 1:
        data[key] = stored[0].sha256[:ID_DIGITS]
    return from_text(data, command)
