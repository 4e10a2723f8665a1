"""Where the log stood, signed and written down outside of it: a cut tail or a rewritten history shows.

``head.json`` is the newest head, written anew each second. ``heads.jsonl`` keeps one a minute and one at the
end of each run, so that it shows since when a history is another. Each is signed with an Ed25519 key of the
leaf, and says how many heads the list holds by then, so that a head that was forged without the key and a
list that lost lines show, too.
"""

import base64
import os
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import msgspec
import nkeys

from cim.domain.errors import CimError
from cim.leaf.private import write_private
from cim.ports.clock import Clock, stamp
from cim.world.world import World

FILE, LIST, KEY = "head.json", "heads.jsonl", "heads.key"
EVERY = 1.0
LIST_EVERY = 60.0


@dataclass(frozen=True, slots=True)
class KeptHead:
    """The log's newest sequence and the running digest over every commit up to it, at ``time``.

    ``listed`` is how many heads stand in the list, this one included if it is in it. A head of a leaf that
    did not sign yet has no signature.
    """

    sequence: int
    digest: str
    time: str = ""
    listed: int = 0
    signature: str = ""

    def signed_part(self) -> bytes:
        """What the signature is over."""
        return f"cim head\n{self.sequence}\n{self.digest}\n{self.time}\n{self.listed}".encode()


class HeadUnreadable(CimError):
    """A file of the kept heads, or of their key, is there and cannot be read."""


@dataclass(frozen=True, slots=True)
class HeadKey:
    """The Ed25519 key that signs the heads, as the seed of an nkey."""

    seed: str = field(repr=False)

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """The key of a leaf; None where none was made yet. Raises :class:`HeadUnreadable`."""
        path = folder / KEY
        if not path.exists():
            return None
        try:
            seed = path.read_text().strip()
            nkeys.from_seed(seed.encode())
        except (nkeys.NkeysError, ValueError) as error:
            raise HeadUnreadable(
                f"{path}: the key of the heads cannot be read ({error or type(error).__name__}): put it back "
                f"from a copy, or remove it with {FILE} and {LIST}"
            ) from error
        return cls(seed)

    @classmethod
    def load_or_make(cls, folder: Path) -> Self:
        """The key of a leaf; made there once, for its owner alone."""
        found = cls.load(folder)
        if found is None:
            seed: bytes = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
            write_private(folder / KEY, seed.decode())
            found = cls(seed.decode())
        return found

    def sign(self, head: KeptHead) -> KeptHead:
        """The head with this key's signature."""
        signature = nkeys.from_seed(self.seed.encode()).sign(head.signed_part())
        return replace(head, signature=base64.b64encode(signature).decode())

    def signed(self, head: KeptHead) -> bool:
        """Whether this key signed the head as it is."""
        try:
            signature = base64.b64decode(head.signature, validate=True)
            return bool(nkeys.from_seed(self.seed.encode()).verify(head.signed_part(), signature))
        except (nkeys.NkeysError, ValueError):
            return False


async def keep_head(world: World, folder: Path, clock: Clock, tell: Callable[[str], None]) -> None:
    """Write the head down every second while it moves, and once more when cancelled.

    A log that ends before the head that an earlier run wrote down lost its tail, and one that passed it
    with another digest was rewritten: that is told, and the old heads stay for ``cim verify`` to show,
    until a person removes them. So it is with a head that this leaf's key did not sign. The world's
    milestone must be the kept head.
    """
    await world.until_caught_up()
    trouble = _trouble(world, folder)
    if trouble is not None:
        tell(
            f"{trouble}; `cim verify` tells more, and nothing is written to {folder / FILE} and {LIST} until "
            f"you have removed both"
        )
        return
    book, told = _Book(world, folder, clock), ""
    try:
        while True:
            try:
                book.write(last=False)
            except OSError as error:  # a full disk: it is tried again, and the machine goes on
                if told != (told := f"{folder / FILE} was not written: {error.strerror or error}"):
                    tell(told)
            await clock.sleep(EVERY)
    finally:
        with suppress(OSError):
            book.write(last=True)


def _trouble(world: World, folder: Path) -> str | None:
    kept, key = read_head(folder), HeadKey.load(folder)
    if kept is None:
        return None
    if key is not None and not key.signed(kept):
        return f"{folder / FILE} was not signed by this leaf's key: it was forged or damaged"
    if world.sequence < kept.sequence:
        return f"the log ends at {world.sequence}, it stood at {kept.sequence}: its tail was lost or cut"
    if world.passed not in (None, kept.digest):
        return f"the log up to {kept.sequence} is not the one that stood here: it was rewritten"
    return None


def read_head(folder: Path) -> KeptHead | None:
    """The newest head that was written down; None where none was. Raises :class:`HeadUnreadable`."""
    path = folder / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=KeptHead) if path.exists() else None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HeadUnreadable(
            f"{path}: {error}. It was changed by hand: put it back from a copy, or remove it"
        ) from error


def read_list(folder: Path) -> list[KeptHead]:
    """The heads that were kept at intervals, oldest first. Raises :class:`HeadUnreadable` naming the line."""
    heads: list[KeptHead] = []
    for line in _lines(folder / LIST):
        try:
            heads.append(msgspec.json.decode(line, type=KeptHead))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise HeadUnreadable(
                f"{folder / LIST}, line {len(heads) + 1}: {error}. It was changed by hand: put the file back "
                f"from a copy, or remove it with {FILE}"
            ) from error
    return heads


def _lines(path: Path) -> list[bytes]:
    """The whole lines of a file: one that a crash cut off is none."""
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


@dataclass(frozen=True, slots=True)
class KeptHeads:
    """All heads that were kept and can be believed, the newest last, and what is wrong with the others."""

    newest: KeptHead | None
    heads: tuple[KeptHead, ...]
    faults: tuple[str, ...]

    def at(self, sequence: int) -> tuple[KeptHead, ...]:
        """Those that were kept when the log stood at ``sequence``."""
        first = bisect_left(self.heads, sequence, key=lambda head: head.sequence)
        return self.heads[first : bisect_right(self.heads, sequence, key=lambda head: head.sequence)]


def read_heads(folder: Path) -> KeptHeads:
    """Everything that was kept of where the log stood. Raises :class:`HeadUnreadable`."""
    newest, listed, key = read_head(folder), read_list(folder), HeadKey.load(folder)
    faults = list(_missing(folder, newest, len(listed), key))
    believed: list[KeptHead] = []
    for number, head in enumerate(listed, 1):
        if key is not None and not key.signed(head):
            faults.append(
                f"{LIST}, line {number}: the head kept at {head.sequence} was not signed by this leaf's key: "
                f"it was forged or damaged"
            )
        elif head.listed != number:
            faults.append(
                f"{LIST}, line {number} was written as line {head.listed}: lines are missing or moved"
            )
        else:
            believed.append(head)
    if newest is not None and key is not None and not key.signed(newest):
        faults.append(
            f"the head kept at {newest.sequence} was not signed by this leaf's key: {FILE} was forged or "
            f"damaged"
        )
        newest = None
    everything = believed if newest is None else [*believed, newest]
    return KeptHeads(newest, tuple(sorted(everything, key=lambda head: head.sequence)), tuple(faults))


def _missing(folder: Path, newest: KeptHead | None, listed: int, key: HeadKey | None) -> list[str]:
    if key is None:
        signed = listed or (newest is not None and newest.signature)
        return [f"{folder / KEY} is missing: who signed the heads cannot be told"] if signed else []
    if newest is None:
        return [f"{folder / FILE} is missing: heads were kept here, the newest was removed"]
    if listed < newest.listed:
        return [f"{folder / LIST} holds {listed} heads and held {newest.listed}: it was cut or removed"]
    return []


class _Book:
    """Writes heads down: the newest, and now and then one more in the list."""

    def __init__(self, world: World, folder: Path, clock: Clock) -> None:
        self._world, self._folder, self._clock = world, folder, clock
        listed = read_list(folder)
        self._listed, self._last_listed = len(listed), listed[-1].sequence if listed else 0
        self._written, self._listed_at = 0, clock.monotonic()

    def write(self, *, last: bool) -> None:
        """Write the head if it moved; in the list, too, when its time has come or this is the end."""
        sequence, now = self._world.sequence, self._clock.monotonic()
        if last or now - self._listed_at >= LIST_EVERY:
            if sequence > self._last_listed:
                self._list()
                self._last_listed = self._written = sequence
            self._listed_at = now
        if sequence > self._written:
            self._put(self._head())
            self._written = sequence

    def _list(self) -> None:
        path = self._folder / LIST
        self._listed += 1
        head = self._head()
        whole = sum(len(line) + 1 for line in _lines(path))
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            # A line that a crash cut off is written over.
            file.truncate(whole)
            file.seek(whole)
            file.write(msgspec.json.encode(head) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._put(head)

    def _put(self, head: KeptHead) -> None:
        write_private(self._folder / FILE, msgspec.json.encode(head).decode())
        self._world.mark()

    def _head(self) -> KeptHead:
        world, time = self._world, stamp(self._clock)
        key = HeadKey.load_or_make(self._folder)
        return key.sign(KeptHead(world.sequence, world.digest, time, self._listed))
