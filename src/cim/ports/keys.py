"""The keys of persons as the core sees them: one each, kept apart from the log.

Every adapter passes :mod:`cim.testing.keys_conformance`.
"""

from collections.abc import Collection
from typing import Protocol

from cim.domain.errors import CimError


class PersonErased(CimError):
    """The person was erased: what was sealed for them cannot be opened, and nothing new is sealed."""

    def __init__(self, person: str) -> None:
        super().__init__(f"{person} was erased: what is new of them needs an id of its own")


class KeyLost(CimError):
    """A value is sealed for a person whose key is not there, though the person was not erased."""


class KeyStore(Protocol):
    """A key a person, made once and destroyed for ever. Safe to use from several threads and processes."""

    def find(self, person: str) -> bytes | None:
        """The person's key; None where none was made. Raises :class:`PersonErased`."""
        ...

    def make(self, person: str) -> bytes:
        """The person's key, made where there is none, on disk before this returns.

        Raises :class:`PersonErased`."""
        ...

    def is_at_hand(self, person: str) -> bool:
        """Whether :meth:`find` gives the person's key at once, without a look at the disk."""
        ...

    def prepare(self, persons: Collection[str]) -> None:
        """Have the keys of these at hand, made for those who have none and were not erased, all on disk
        before this returns."""
        ...

    def destroy(self, person: str) -> None:
        """Take the key away for ever, if there was one, and remember that; on disk before this returns."""
        ...
