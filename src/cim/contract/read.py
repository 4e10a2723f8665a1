"""A commit that was read, taken apart when it is asked."""

from typing import TYPE_CHECKING, Any

from cim.contract.block import plain_values
from cim.contract.envelope import SETTERS, Commit, Origin

_set_subject, _set_type, _set_body = SETTERS["subject"], SETTERS["type"], SETTERS["body"]
_set_sequence, _set_block = SETTERS["sequence"], SETTERS["_block"]
_set_number, _set_origin, _set_source = SETTERS["number"], SETTERS["origin"], SETTERS["source"]
_set_time, _set_schema, _set_previous = SETTERS["time"], SETTERS["schema"], SETTERS["previous"]
_set_request, _set_derivation, _set_digest = SETTERS["request"], SETTERS["derivation"], SETTERS["_digest"]
_set_partners = SETTERS["partners"]


class _Read(Commit):
    """A commit that was read: it knows its subject, type, body and sequence, and takes the rest out of its
    header block when the first of it is asked for. Most readers, projections among them, never do."""

    __slots__ = ()

    if not TYPE_CHECKING:  # or a checker would take any name for one of a commit's

        def __getattr__(self, name: str) -> Any:
            """Called for a slot that is empty: fills all that are."""
            if name not in _LATER:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            _fill(self, self._block)
            return object.__getattribute__(self, name)


_LATER = frozenset(SETTERS) - {"subject", "type", "body", "sequence", "_block"}


def read_plain(subject: str, type: str, block: bytes, body: bytes, sequence: int) -> Commit:
    """The commit of a stored message whose header block is of the plain form (:mod:`cim.contract.block`)
    and names this subject and type."""
    commit = object.__new__(_Read)
    _set_subject(commit, subject)
    _set_type(commit, type)
    _set_body(commit, body)
    _set_sequence(commit, sequence)
    _set_block(commit, block)
    return commit


def _fill(commit: Commit, block: bytes) -> None:
    values = plain_values(block) or ()
    cause, correlation, schema, id, number, owner, previous, request, source, _, time, _ = values
    _set_number(commit, int(number))
    _set_origin(commit, Origin(id, correlation, cause, owner))
    _set_source(commit, source)
    _set_time(commit, time)
    _set_schema(commit, schema)
    _set_previous(commit, previous)
    _set_request(commit, request)
    _set_derivation(commit, None)
    _set_partners(commit, None)
    _set_digest(commit, None)


def parse_block(subject: str, block: bytes, body: bytes, sequence: int) -> Commit | None:
    """The commit that a stored message holds, if its header block is of the plain form; None says nothing
    about the message: :meth:`Commit.parse` can tell."""
    values = plain_values(block)
    if values is None or values[9] != subject:
        return None
    return read_plain(subject, values[11], block, body, sequence)
