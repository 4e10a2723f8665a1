"""Which types hold what came from outside."""

import dataclasses
from collections.abc import Iterator
from typing import Any, get_args

from cim.contract.annotations import bare, extras, hints
from cim.domain.outside import OutsideMark


def outside_in(annotation: Any, seen: frozenset[type[Any]] = frozenset()) -> Iterator[str]:
    """The fields marked :data:`cim.domain.outside.Outside` that values of an annotation hold, by their types:
    ``Text.body``."""
    kind = bare(annotation)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        if kind in seen:
            return
        for name, inner in hints(kind).items():
            if any(isinstance(extra, OutsideMark) for extra in extras(inner)):
                yield f"{kind.__name__}.{name}"
            else:
                yield from outside_in(inner, seen | {kind})
        return
    for part in get_args(kind):
        yield from outside_in(part, seen)
