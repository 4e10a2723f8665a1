"""Keys of persons in memory, for tests."""

import os
from collections.abc import Collection

from cim.ports.keys import PersonErased

KEY_BYTES = 32


class MemoryKeys:
    """Fulfils :class:`cim.ports.keys.KeyStore`; what it holds ends with it."""

    def __init__(self) -> None:
        self._keys: dict[str, bytes | None] = {}

    def find(self, person: str) -> bytes | None:
        """See :meth:`cim.ports.keys.KeyStore.find`."""
        if person in self._keys and self._keys[person] is None:
            raise PersonErased(person)
        return self._keys.get(person)

    def make(self, person: str) -> bytes:
        """See :meth:`cim.ports.keys.KeyStore.make`."""
        return self.find(person) or self._keys.setdefault(person, os.urandom(KEY_BYTES)) or b""

    def is_at_hand(self, person: str) -> bool:
        """See :meth:`cim.ports.keys.KeyStore.is_at_hand`."""
        return self._keys.get(person) is not None

    def prepare(self, persons: Collection[str]) -> None:
        """See :meth:`cim.ports.keys.KeyStore.prepare`."""
        for person in persons:
            self._keys.setdefault(person, os.urandom(KEY_BYTES))

    def destroy(self, person: str) -> None:
        """See :meth:`cim.ports.keys.KeyStore.destroy`."""
        self._keys[person] = None
