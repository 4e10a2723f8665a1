"""What docstrings say, in one line."""

import sys
from collections.abc import Iterator
from typing import Any

from cim.domain.context import Context


def first_line(subject: Any) -> str:
    """The first line of the docstring that somebody wrote for a class, function or module, else nothing.

    A dataclass without one is given its signature for it, which says nothing new.
    """
    written = getattr(subject, "__doc__", None)
    if not isinstance(written, str) or not written.strip():
        return ""
    if isinstance(subject, type) and written.startswith(f"{subject.__name__}("):
        return ""
    return written.strip().splitlines()[0].strip()


def line_of(context: Context) -> str:
    """The first line of the docstring of the module that speaks for a context."""
    for declared in _declared(context):
        parts = declared.__module__.split(".")
        if context.name in parts:
            name = ".".join(parts[: parts.index(context.name) + 1])
            return first_line(sys.modules.get(name))
    return ""


def _declared(context: Context) -> Iterator[Any]:
    yield from (one.state for one in context.entities)
    yield from (one.component for one in context.components)
    yield from (one.process for one in context.processes)
    for functions in (
        context.systems,
        context.rules,
        context.policies,
        context.projections,
        context.queries,
        context.views,
    ):
        yield from functions
