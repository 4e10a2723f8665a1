"""Personal values on their way into the log and out of it: sealed under a key of their person's own.

In a body a personal value is an object that says what it is: the ciphertext, whose it is, and what it reads
as once that person was erased. It is opened first of all when a body is read, so that whoever folds bodies
sees plain values, and nobody but this module knows the form. The place where a value stands (subject, type,
field) and whose it is are bound to the ciphertext: moved elsewhere it does not open. Its length is rounded
up, because the length of a name tells something of it.

XChaCha20-Poly1305 by libsodium: a random nonce of 24 bytes does not repeat, however often a key is used.
"""

import asyncio
import base64
import hashlib
import hmac
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any

from nacl import bindings as sodium
from nacl.exceptions import CryptoError

from cim.contract import codec
from cim.contract.envelope import Commit
from cim.contract.personal import personal_fields
from cim.contract.subjects import Ref, parse_stored, token
from cim.domain.errors import CimError
from cim.domain.personal import ERASED
from cim.ports.keys import KeyLost, KeyStore, PersonErased

SEALED = "cim.sealed"
"""The name by which a sealed value is told from a plain one."""

_MARK = f'"{SEALED}":'.encode()
_NAMES = {SEALED, "person", "erased"}
_NONCE = 24
_STEP = 32
"""Bytes to whose multiples a value is filled up before it is sealed."""

_KEYED = "~"


class BadSeal(CimError):
    """A sealed value that does not open with its person's key."""


def person_name(person: Ref) -> str:
    """A person as keys and sealed values name them: ``shop.Customer.c1``."""
    token(person.id, f"the id of the person {person.context}.{person.entity}")
    return f"{person.context}.{person.entity}.{person.id}"


def holds_sealed(body: bytes) -> bool:
    """Whether a body holds sealed values: a search of its bytes, which is all that others pay."""
    return _MARK in body


def persons_in(body: bytes) -> set[str]:
    """The persons that the sealed values of a body belong to."""
    if not holds_sealed(body):
        return set()
    return {
        value["person"]
        for item in codec.decode(body)
        if isinstance(item.data, dict)
        for value in item.data.values()
        if is_sealed(value)
    }


def is_sealed(value: Any) -> bool:
    """Whether a plain value is the form of a sealed one."""
    return isinstance(value, dict) and value.keys() == _NAMES and isinstance(value["person"], str)


class Sealing:
    """Seals and opens personal values with the keys of a store; without one it can do neither.

    Safe to use from several threads. What it knows of persons, that the store need not know yet: who was
    erased by an entry in the log (:meth:`forget`), and of whom a sealed value was seen and no key is there.
    """

    def __init__(self, keys: KeyStore | None = None, chance: Callable[[int], bytes] = os.urandom) -> None:
        self._keys, self._chance = keys, chance
        self._erased: set[str] = set()
        self._lost: set[str] = set()
        self._wanted: set[str] = set()
        self._making = asyncio.Lock()

    async def prepare(self, subject: str, records: Iterable[Any]) -> None:
        """Have the keys made that :meth:`write` needs for some records, so that it waits for no disk: keys
        that several ask for at a time are made at once, in a thread. Whoever has none by then is told there.
        """
        wanted = {person for record in records for person in self._not_at_hand(subject, record)}
        if not wanted or self._keys is None:
            return
        self._wanted |= wanted
        async with self._making:
            # Who waited while theirs were made goes on, so that those who come now are made together.
            if wanted & self._wanted:
                batch, self._wanted = self._wanted, set()
                await asyncio.to_thread(self._keys.prepare, batch)

    def _not_at_hand(self, subject: str, record: Any) -> Iterator[str]:
        found = personal_fields(type(record))
        if found is None or self._keys is None or found.says_nothing(record):
            return
        own, _ = parse_stored(subject)
        with suppress(CimError):  # said where it is sealed
            person = person_name(found.person_of(record, own))
            known = person in self._erased or person in self._lost
            if not known and not self._keys.is_at_hand(person):
                yield person

    def forget(self, person: str) -> None:
        """Open nothing of this person any more, and seal nothing: an entry in the log says so."""
        self._erased.add(person)

    @property
    def forgotten(self) -> AbstractSet[str]:
        """Those of whom an entry said that they were erased, as it stands at any time."""
        return self._erased

    def write(self, subject: str, records: Iterable[Any]) -> bytes:
        """The body that holds some records, personal values sealed.

        Raises :class:`PersonErased` where one of them is of a person who was erased, :class:`KeyLost`.
        """
        records = tuple(records)
        if any(personal_fields(type(record)) for record in records):
            return codec.encode([self.item(subject, record) for record in records])
        body = codec.write(records)
        if _MARK in body:
            raise BadSeal(f"{subject}: a value is named {SEALED!r}, as only the machine names one")
        return body

    def item(self, subject: str, record: Any, *, late: bool = False) -> codec.Item:
        """A record as an item of a body. With ``late`` a value that comes too late, because its person was
        erased, is written as erased; otherwise that raises :class:`PersonErased`."""
        item, (own, _) = codec.item(record), parse_stored(subject)
        return codec.Item(item.type, item.version, self.sealed(subject, record, own, late=late))

    def sealed(
        self, place: str, record: Any, own: Ref | None, *, late: bool = False, name: str = ""
    ) -> dict[str, Any]:
        """A record as plain data with its personal values sealed for this place; see :meth:`item`.

        ``name`` stands for the name of its type, where whoever opens it does not know that.
        """
        data: dict[str, Any] = codec.plain(record)
        if any(map(is_sealed, data.values())):
            raise BadSeal(
                f"{type(record).__name__}: a value is named {SEALED!r}, as only the machine names one"
            )
        found = personal_fields(type(record))
        if found is None:
            return data
        person = person_name(found.person_of(record, own))
        for field, erased in found.erased.items():
            if data[field] == erased:
                continue
            try:
                key = self._key_to_seal(person)
            except PersonErased:
                if not late:
                    raise
                data[field] = erased
            else:
                where = _where(place, name or type(record).__name__, field, person)
                data[field] = self._form(data[field], key, where, person, erased)
        return data

    def seal_text(self, place: str, type: str, field: str, text: str, *persons: Ref) -> Any:
        """A text that may hold what is these persons', sealed for each of them, the last outermost; erased
        where one of them is."""
        value: Any = text
        for name in map(person_name, persons):
            try:
                key = self._key_to_seal(name)
            except PersonErased:
                return ERASED
            value = self._form(value, key, _where(place, type, field, name), name, ERASED)
        return value

    def is_erased(self, person: str) -> bool:
        """Whether nothing of this person is opened any more."""
        if person in self._erased or self._keys is None:
            return person in self._erased
        try:
            self._keys.find(person)
        except PersonErased:
            return True
        return False

    def body(self, commit: Commit, plain: set[str] | None = None) -> bytes:
        """The body of a commit with plain values, as every reader folds it; the persons of whom some could
        be read are added to ``plain``.

        Raises :class:`KeyLost` and :class:`BadSeal` by name, :class:`cim.contract.codec.BadBody`.
        """
        body = commit.body
        if _MARK not in body:
            return body
        if plain is not None:
            plain.update(person for person in persons_in(body) if not self.is_erased(person))
        return self.opened_body(commit.subject, body)

    def opened_body(self, subject: str, body: bytes) -> bytes:
        """See :meth:`body`."""
        if _MARK not in body:
            return body
        items = codec.decode(body)
        return codec.encode(
            [codec.Item(one.type, one.version, self.opened(subject, one.type, one.data)) for one in items]
        )

    def opened(self, place: str, type: str, data: Any) -> Any:
        """The plain data of a record with its sealed values opened; what was erased reads as that."""
        if not isinstance(data, dict):
            return data
        return {
            field: self._opened(place, type, field, value) if is_sealed(value) else value
            for field, value in data.items()
        }

    def shown(self, commit: Commit) -> bytes:
        """The body of a commit for a person: a value that cannot be opened stays sealed."""
        if _MARK not in commit.body:
            return commit.body
        return codec.encode(
            [
                codec.Item(one.type, one.version, self.shown_data(commit.subject, one.type, one.data))
                for one in codec.decode(commit.body)
            ]
        )

    def shown_data(self, place: str, type: str, data: Any) -> Any:
        """As :meth:`opened`; a value that cannot be opened stays sealed."""
        if not isinstance(data, dict):
            return data
        shown = dict(data)
        for field in filter(lambda field: is_sealed(data[field]), data):
            with suppress(KeyLost, BadSeal):
                shown[field] = self._opened(place, type, field, data[field])
        return shown

    def request(self, subject: str, command: Any, digest: str) -> str:
        """What the log keeps of a command's content: its digest, and where the command has personal values
        a digest under their person's key, since a name could be guessed from a bare one.

        Raises :class:`PersonErased`, :class:`KeyLost`.
        """
        found = personal_fields(type(command))
        if found is None or found.says_nothing(command):
            return digest
        own, _ = parse_stored(subject)
        key = self._key_to_seal(person_name(found.person_of(command, own)))
        name, _, bare = digest.partition("/")
        return f"{name}/{_KEYED}{hmac.new(key, bare.encode(), hashlib.sha256).hexdigest()}"

    def is_same(self, stored: str | None, subject: str, command: Any, digest: str) -> bool:
        """Whether the log's ``stored`` is of this very command. Once its person is erased nobody can tell
        its content from another: then its name and its id stand for it."""
        name, _, kept = (stored or "").partition("/")
        if name != type(command).__name__ or not kept.startswith(_KEYED):
            return stored == digest
        try:
            return stored == self.request(subject, command, digest)
        except PersonErased:
            return True

    def _key_to_seal(self, person: str) -> bytes:
        if person in self._erased:
            raise PersonErased(person)
        if self._keys is None:
            raise KeyLost(f"there is no store of keys here to seal the personal values of {person}")
        if person in self._lost and self._keys.find(person) is None:
            raise KeyLost(_lost(person))
        return self._keys.make(person)

    def _form(self, value: Any, key: bytes, where: bytes, person: str, erased: str | None) -> Any:
        text = codec.json_bytes(value)
        text += b" " * (-len(text) % _STEP)
        nonce = self._chance(_NONCE)
        sealed = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(text, where, nonce, key)
        return {SEALED: base64.b64encode(nonce + sealed).decode(), "person": person, "erased": erased}

    def _opened(self, place: str, type: str, field: str, form: Mapping[str, Any]) -> Any:
        person = form["person"]
        if person in self._erased:
            return form["erased"]
        try:
            key = None if self._keys is None else self._keys.find(person)
        except PersonErased:
            return form["erased"]
        if key is None:
            self._lost.add(person)
            raise KeyLost(_lost(person))
        try:
            raw = base64.b64decode(form[SEALED], validate=True)
            where = _where(place, type, field, person)
            text = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(raw[_NONCE:], where, raw[:_NONCE], key)
            value = codec.json_value(text)
        except (CryptoError, ValueError, TypeError) as error:
            raise BadSeal(
                f"{type}.{field} on {place} does not open with the key of {person}: it was changed or moved "
                f"here, or sealed with a key that was kept before this one"
            ) from error
        return self._opened(place, type, field, value) if is_sealed(value) else value


def _where(place: str, type: str, field: str, person: str) -> bytes:
    """What is bound to a ciphertext: where it stands and whose it is."""
    return "\n".join((place, type, field, person)).encode()


def _lost(person: str) -> str:
    return (
        f"the key of {person} is not in the store of keys, and no entry says that they were erased: put the "
        f"store back and start again, or give them up with `cim erase`"
    )
