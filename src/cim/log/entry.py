"""What the machine itself writes into the log: entries of one record, each of a type of its own.

The types of entities' commits have three parts, so none is mistaken for one of these.
"""

from typing import TypeVar

from cim.contract import codec
from cim.contract.envelope import Commit, Origin
from cim.contract.schema import dataschema
from cim.ports.clock import Clock, stamp

T = TypeVar("T")


def entry(subject: str, type: str, said: object, origin: Origin, source: str, clock: Clock) -> Commit:
    """The commit that says this, without its place on the subject."""
    return Commit(
        subject=subject,
        number=0,
        origin=origin,
        source=source,
        type=type,
        time=stamp(clock),
        schema=dataschema([said.__class__]),
        body=codec.encode([codec.item(said)]),
    )


def said_by(commit: Commit, type: str, kind: type[T]) -> T | None:
    """What an entry says; None for a commit of another type. Raises :class:`cim.contract.codec.BadBody`."""
    if commit.type != type:
        return None
    items = codec.decode(commit.body)
    if len(items) != 1:
        raise codec.BadBody(f"sequence {commit.sequence}: a {type} holds one item, not {len(items)}")
    return codec.typed(items[0].data, kind)
