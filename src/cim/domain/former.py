"""Shapes that messages once had, and how each becomes the next one."""

from functools import lru_cache
from typing import Any

from cim.domain.record import FORMERLY, Record


class Former(Record):
    """A shape that an event or a component had in an earlier version of its module.

    ``class Received1(Former, version=1)`` holds the fields of that version, and ``upcast`` makes the next
    shape of it. The next shape names it: ``class Received(Event, formerly=Received1)``, or another former
    one, so that there are as many steps as there were versions. Where the type had another name,
    ``called`` says which one stands in the log.
    """

    def __init_subclass__(
        cls, version: int = 0, called: str | None = None, formerly: type[Record] | None = None, **kwargs: Any
    ) -> None:
        super().__init_subclass__(formerly=formerly, **kwargs)
        setattr(cls, _VERSION, version)
        setattr(cls, _CALLED, called)

    def upcast(self) -> Any:
        """The next shape with what this one says: one record, several in a list or a tuple, or None.

        A subclass says by its return annotation what may come of it. It must not refuse: what is in the
        log has happened.
        """
        raise TypeError(f"{type(self).__name__} declares no upcast: give it one that returns the next shape")


_VERSION, _CALLED = "__cim_version__", "__cim_called__"


def formerly(kind: type[Any]) -> type[Former] | None:
    """The shape that a type had before its present one; None where it had no other."""
    found: type[Former] | None = kind.__dict__.get(FORMERLY)
    return found


def version_of(kind: type[Any]) -> int:
    """The version in which a type is written: 1 for its first shape."""
    shape: Any = kind
    return _version_of(shape)


@lru_cache(maxsize=4096)
def _version_of(kind: type[Any]) -> int:
    own: int | None = kind.__dict__.get(_VERSION)
    if own is not None:
        return own
    former = formerly(kind)
    return 1 if former is None or called(former) not in (None, kind.__name__) else version_of(former) + 1


def called(former: type[Former]) -> str | None:
    """The name that a former shape has in the log; None where it is that of what it becomes."""
    found: str | None = former.__dict__.get(_CALLED)
    return found
