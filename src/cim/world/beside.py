"""What is folded of the log beside the world and kept with it: in one write, at one place in the log."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from cim.ports.index import Part


class Beside(Protocol):
    """A second fold of the same commits. It is given each batch before the world keeps what it knows."""

    @property
    def sequence(self) -> int:
        """The newest commit that it has taken in."""
        ...

    @property
    def version(self) -> str:
        """A name for the code that folds it; empty where it folds nothing, and goes on from anywhere."""
        ...

    def changed(self) -> Mapping[Part, bytes | None]:
        """The parts that changed since this was last asked; None for those that are no more."""
        ...

    def go_on(self, sequence: int, parts: Iterable[tuple[Part, bytes]]) -> None:
        """Begin behind the commit ``sequence`` with what was kept there; raises
        :class:`cim.ports.index.IndexRuined`."""
        ...
