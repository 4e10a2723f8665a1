"""Fingerprints of shapes: what a message type looked like when it was written."""

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec

from cim.domain.errors import Misdeclared


def _bare(schema: Any) -> Any:
    """The schema without its prose: a better docstring is no other shape."""
    if isinstance(schema, dict):
        prose = "description" if isinstance(schema.get("description"), str) else None
        return {name: _bare(value) for name, value in schema.items() if name != prose}
    if isinstance(schema, list):
        return [_bare(value) for value in schema]
    return schema


def check_shape(kind: type[Any], where: str) -> None:
    """Hold that records of a type can be written; raises :class:`Misdeclared` naming what cannot."""
    try:
        msgspec.json.schema(kind)
    except (TypeError, NameError) as error:
        reason = str(error).splitlines()[-1]
        raise Misdeclared(f"{where}: {kind.__name__} cannot be written as JSON: {reason}") from error


@lru_cache(maxsize=1024)
def fingerprint(kinds: frozenset[type[Any]]) -> str:
    """A short name of the shapes of some record types: 16 hex digits, the same for the same fields."""
    schemas = [_bare(msgspec.json.schema(kind)) for kind in sorted(kinds, key=lambda kind: kind.__name__)]
    return hashlib.sha256(msgspec.json.encode(schemas, order="sorted")).hexdigest()[:16]


def dataschema(kinds: Iterable[type[Any]]) -> str:
    """The value of ``ce-dataschema`` for a body of these types."""
    return _dataschema(tuple(kinds))


@lru_cache(maxsize=4096)
def _dataschema(kinds: tuple[type[Any], ...]) -> str:
    return f"cim:{fingerprint(frozenset(kinds))}"
