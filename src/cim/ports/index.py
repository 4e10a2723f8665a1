"""A world's index: what is known of each entity, found by what is wanted of it, on whatever keeps it.

Never the truth: it is derived from the log, and thrown away and made anew wherever it is doubted. Every
adapter passes :mod:`cim.testing.index_conformance`.
"""

from asyncio import Future
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from cim.contract.subjects import Ref
from cim.domain.errors import CimError

Kind = tuple[str, str]
"""The context and the name of a kind of entity."""

Said = tuple[Ref, str | None]
"""The entity whose command had an id, and what its commit says of its content."""


Part = tuple[str, str, int]
"""A part of what is folded beside the world: the full name of a kind of process, an instance's id, and the
number of the part."""

UNKEPT = b""
"""A part that cannot be kept: whoever finds it reads the log."""


class IndexRuined(CimError):
    """What the index holds cannot be believed any more. It is thrown away; the next start makes it anew."""


class IndexAway(CimError):
    """It cannot be had now, such as on a full disk; nothing is wrong with what it holds."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an index holds a log, and which one: the newest commit that it holds, by ``sequence``,
    ``subject`` and digest (``commit``), and what the world was there.

    ``root`` is the digest of the log's first commit, ``digest`` runs over all up to there, and was ``passed``
    at the sequence ``milestone``. ``erased_at`` is the sequence of the last erasure. ``version`` names the
    code that folded all of it, and ``beside`` that of what is folded beside it.
    """

    sequence: int
    subject: str
    commit: str
    version: str
    root: str = ""
    digest: str = ""
    milestone: int = 0
    passed: str = ""
    erased_at: int = 0
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """An entity as an index keeps it. ``first`` and ``sequence`` are those of its first and its last commit;
    of two entities the first differs.

    ``body`` is all that is known of it; None where that is not kept, and the entity is to be folded from its
    own history. ``is_due`` says whether there may be something to do on it. ``carries`` are the names of what
    it carries, and ``targets`` the entities that it refers to: they are found by these, which no row that is
    read tells again.
    """

    ref: Ref
    first: int
    sequence: int
    body: bytes | None
    is_troubled: bool = False
    is_due: bool = False
    carries: Collection[str] = field(default=frozenset(), compare=False)
    targets: Collection[Ref] = field(default=frozenset(), compare=False)


class Index(Protocol):
    """The rows of entities, the ids of commands, and what is kept beside them. One process has it at a time.

    Reading stands on the way of every change: it answers at once. It raises :class:`IndexRuined`, and from
    then on always does.
    """

    def standing(self) -> Standing | None:
        """How far it is; None where nothing was written yet."""
        ...

    def find(self, ref: Ref) -> Row | None:
        """The row of an entity."""
        ...

    def kinds(self) -> list[Kind]:
        """The kinds of which there are entities, in their order."""
        ...

    def count(self, of: Kind | None = None) -> int:
        """How many there are, of a kind or of all."""
        ...

    def page(
        self,
        of: Kind,
        after: str | None,
        most: int,
        carrying: Collection[str] = (),
        lacking: Collection[str] = (),
    ) -> list[Row]:
        """Up to ``most`` of a kind that carry all of what is named, and nothing of what they must lack, in
        the order of their ids, from the first one past ``after`` on."""
        ...

    def due(self, after: int, most: int) -> list[Row]:
        """Up to ``most`` of those on which there may be something to do and whose first commit is past
        ``after``, those that began first in front."""
        ...

    def count_due(self) -> int:
        """How many of these there are."""
        ...

    def changed_since(self, of: Kind, sequence: int, most: int) -> list[Row]:
        """Up to ``most`` of a kind whose last commit is past ``sequence``, the earliest of these first."""
        ...

    def troubled(self) -> list[Ref]:
        """Those on which something is in trouble."""
        ...

    def bodiless(self, most: int) -> list[Ref]:
        """Up to ``most`` of which the body is not kept."""
        ...

    def referring(self, ref: Ref) -> list[Ref]:
        """The entities that refer to one, those that began first in front."""
        ...

    def command(self, id: str) -> Said | None:
        """The command of an id."""
        ...

    def parts(self) -> list[tuple[Part, bytes]]:
        """All that is kept beside the world, in no order."""
        ...

    def write(
        self,
        rows: Sequence[Row],
        commands: Mapping[str, Said],
        standing: Standing,
        parts: Mapping[Part, bytes | None] = MappingProxyType({}),
    ) -> Future[None]:
        """Begin to write rows and parts in the place of older ones (None: it is no more), ids of commands,
        and how far the index is by them: all of it or nothing. One write at a time; it is there once what is
        returned is done, whose error is a :class:`CimError` where it is not."""
        ...

    def clear(self) -> None:
        """Throw away all that it holds."""
        ...

    def close(self) -> None:
        """Let go of it, once what is under way is written."""
        ...
