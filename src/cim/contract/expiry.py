"""The field that says when a component ends, worked out from its annotation."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from cim.contract.annotations import extras, hints, members
from cim.domain.component import Component
from cim.domain.errors import CimError, Misdeclared
from cim.domain.expiry import ExpiryMark


def expiry_field(kind: type[Component], where: str) -> str | None:
    """The name of the field; None where the component does not end by itself. Raises :class:`Misdeclared`."""
    found = _fields(kind)
    if len(found) > 1:
        raise Misdeclared(f"{where}: {kind.__name__} says twice when it ends: {' and '.join(found)}")
    if found and "correct" in kind.__dict__:
        raise Misdeclared(
            f"{where}: {kind.__name__} ends by itself and is put right by people: what they said would "
            f"outlive it; keep what ends and what is corrected in two components"
        )
    return found[0] if found else None


def end_of(value: Mapping[str, Any], field: str) -> datetime | None:
    """When a component of this plain value ends; None for never, or where no time can be read."""
    try:
        end = msgspec.convert(value.get(field), datetime | None)
    except msgspec.ValidationError:
        return None
    return end if end is None or end.tzinfo is not None else None


def check_end(component: Component) -> None:
    """Hold that a component's end is a moment; raises :class:`CimError` where it has no time zone."""
    for field in _fields(type(component)):
        end = getattr(component, field)
        if end is not None and end.tzinfo is None:
            raise CimError(
                f"{type(component).__name__}.{field} is {end}, which has no time zone: give it one"
            )


def _fields(kind: type[Any]) -> tuple[str, ...]:
    shape: Any = kind
    return _marked(shape)


@lru_cache(maxsize=4096)
def _marked(kind: Any) -> tuple[str, ...]:
    return tuple(name for name, annotation in hints(kind).items() if _is_marked(annotation))


def _is_marked(annotation: Any) -> bool:
    """Whether a field is an ``Expires``, also where ``Expires | None`` says None twice."""
    parts = (annotation, *members(annotation))
    return any(isinstance(extra, ExpiryMark) for part in parts for extra in extras(part))
