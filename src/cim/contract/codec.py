"""Bodies: a JSON array of ``{type, version, data}``, strict when it is read.

msgspec reads and writes standard-library dataclasses, checks types and missing fields, writes
decimals as strings and times as ISO 8601.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from cim.domain.errors import CimError
from cim.domain.former import version_of

T = TypeVar("T")


class BadBody(CimError):
    """A body that is not the JSON that its type asks for; the text names the field."""


@dataclass(frozen=True, slots=True)
class Item:
    """One typed record of a body. ``data`` is plain JSON data; None takes a component away."""

    type: str
    version: int
    data: Any


_SORTED = msgspec.json.Encoder(decimal_format="string", order="sorted")
_ENCODER = msgspec.json.Encoder(decimal_format="string", order="deterministic")
# Text that is no UTF-8, and nesting without end, come past msgspec's own errors.
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_ITEMS = msgspec.json.Decoder(list[Item])


class Unread(msgspec.Struct, frozen=True):
    """An item whose data is still JSON: :func:`read` makes the record of it in one step."""

    type: str
    version: int
    data: msgspec.Raw


_UNREAD = msgspec.json.Decoder(list[Unread])


def encode(items: Iterable[Item]) -> bytes:
    """The body that holds the items."""
    return _ENCODER.encode(list(items))


def decode(body: bytes) -> list[Item]:
    """The items of a body; raises :class:`BadBody`."""
    try:
        return _ITEMS.decode(body)
    except _UNREADABLE as error:
        raise BadBody(f"body is not a JSON array of {{type, version, data}}: {error}") from error


def write(records: Iterable[Any]) -> bytes:
    """The body that holds some records: the same bytes as :func:`encode` of each one's :func:`item`."""
    return _ENCODER.encode(
        [
            Unread(type(record).__name__, version_of(type(record)), msgspec.Raw(_SORTED.encode(record)))
            for record in records
        ]
    )


def unread(body: bytes) -> list[Unread]:
    """The items of a body, their data not yet looked at; raises :class:`BadBody`."""
    try:
        return _UNREAD.decode(body)
    except _UNREADABLE as error:
        raise BadBody(f"body is not a JSON array of {{type, version, data}}: {error}") from error


@lru_cache(maxsize=4096)
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def read(item: Unread, kind: type[T]) -> T:
    """The record that an item holds; raises :class:`BadBody` that names the field."""
    return record(item.data, kind)


def record(data: bytes | msgspec.Raw, kind: type[T]) -> T:
    """The record that JSON holds; raises :class:`BadBody` that names the field."""
    shape: Any = kind
    try:
        found: T = _decoder(shape).decode(data)
    except _UNREADABLE as error:
        raise BadBody(f"{kind.__name__}: {error}") from error
    return found


def value(data: bytes | msgspec.Raw, kind: Any, where: str) -> Any:
    """The value of any annotation that JSON holds; raises :class:`BadBody` that says ``where``."""
    try:
        return _decoder(kind).decode(data)
    except _UNREADABLE as error:
        raise BadBody(f"{where}: {error}") from error


def whole(record: Any) -> bytes:
    """A record as the JSON from which :func:`record` makes the same one; raises :class:`BadBody`."""
    check(record)
    return _ENCODER.encode(record)


def item(record: Any) -> Item:
    """A record as an item of a body."""
    return Item(type(record).__name__, version_of(type(record)), plain(record))


def check(record: Any) -> Any:
    """Hold that a record reads back as its type once it is written, and give it as the plain data that was
    read; raises :class:`BadBody` naming the field.

    Nothing checks a record when it is made: ``Kind(kind=None, score=nan)`` is a value, until it is read.
    """
    kind = type(record)
    try:
        written = msgspec.json.decode(_ENCODER.encode(record))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BadBody(f"{kind.__name__} cannot be written: {error}") from error
    back = typed(written, kind)
    for name in field_names(kind):
        if getattr(back, name) != getattr(record, name):
            raise BadBody(
                f"{kind.__name__}.{name} is {getattr(record, name)!r}, which would be read back as "
                f"{getattr(back, name)!r}"
            )
    return written


def plain(record: Any) -> Any:
    """A record as plain JSON data."""
    return msgspec.to_builtins(record, order="deterministic")


def typed(data: Any, kind: type[T]) -> T:
    """Plain data as a record of ``kind``; raises :class:`BadBody` that names the field."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise BadBody(f"{kind.__name__}: {error}") from error


def typed_whole(data: Any, kind: type[T]) -> T:
    """As :func:`typed`, and a field that the record does not have is refused by name: whoever asks for
    something must not believe that it was heard."""
    record = typed(data, kind)
    unknown = next(_unknown(data, plain(record), kind.__name__), None)
    if unknown is not None:
        where, name, known = unknown
        raise BadBody(f"{where} has no field {name!r}: it has {', '.join(known) or 'none'}")
    return record


def _unknown(data: Any, read: Any, where: str) -> Iterator[tuple[str, str, Sequence[str]]]:
    """What stands in plain data and was not read: where, its name, and what is there."""
    if isinstance(data, dict) and isinstance(read, dict):
        for name, value in data.items():
            if name not in read:
                yield where, str(name), tuple(read)
            else:
                yield from _unknown(value, read[name], f"{where}.{name}")
    elif isinstance(data, list) and isinstance(read, list | tuple):
        for place, (one, other) in enumerate(zip(data, read, strict=False)):
            yield from _unknown(one, other, f"{where}[{place}]")


def from_text(data: dict[str, Any], kind: type[T]) -> T:
    """Fields given as text (a form, a command line) as a record of ``kind``, unknown ones refused."""
    fields = field_names(kind)
    unknown = sorted(set(data) - set(fields))
    if unknown:
        raise BadBody(f"{kind.__name__} has no field {unknown[0]!r}: it has {', '.join(fields)}")
    try:
        return msgspec.convert(data, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadBody(f"{kind.__name__}: {error}") from error


def field_names(kind: type[Any]) -> Sequence[str]:
    """The names of a record's fields, in their order."""
    shape: Any = kind
    return _field_names(shape)


@lru_cache(maxsize=4096)
def _field_names(kind: Any) -> Sequence[str]:
    return tuple(field.name for field in dataclasses.fields(kind))


def json_bytes(value: Any) -> bytes:
    """Any plain value or record as JSON bytes."""
    return _ENCODER.encode(value)


def json_value(text: bytes) -> Any:
    """The plain value that JSON bytes hold; raises :class:`BadBody`."""
    try:
        return msgspec.json.decode(text)
    except _UNREADABLE as error:
        raise BadBody(f"not JSON: {error}") from error


def question(body: bytes) -> dict[str, Any]:
    """The JSON object of a query's body; an empty body is an empty object. Raises :class:`BadBody`."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any]) if body else {}
    except _UNREADABLE as error:
        raise BadBody(f"the question is not a JSON object: {error}") from error
