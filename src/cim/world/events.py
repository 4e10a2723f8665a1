"""The events that a commit holds, in their present shapes."""

from collections.abc import Iterable, Iterator

from cim.contract import codec
from cim.contract.entity import EntityType
from cim.contract.envelope import Commit
from cim.contract.shapes import UnknownShape
from cim.domain.errors import CimError
from cim.domain.message import Event


def events_in(kind: EntityType, items: Iterable[codec.Unread], commit: Commit) -> Iterator[Event]:
    """The events of a commit in their present shapes."""
    for item in items:
        try:
            yield from kind.shapes.read(item)
        except UnknownShape as error:
            if item.type in kind.shapes.names:
                raise CimError(f"sequence {commit.sequence}: event {error}") from error
            raise CimError(f"sequence {commit.sequence}: {kind} declares no event {item.type}") from error
