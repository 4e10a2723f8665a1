"""The place of a projection: its rows and how far they are folded, changed in one transaction.

Derived and thrown away at will: the log is the truth. So a commit waits for no disk (a power cut takes
the place back to an earlier whole state, and what came after is folded again), and a place that cannot be
read is made anew. Rows that another version of the code folded stay to be read, while the new ones are
folded into a second table beside them; one transaction puts these in their place. Two files and a
renaming would do the same, but SQLite does not bear that a file is renamed under a reader.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cim.contract import codec
from cim.contract.envelope import Commit
from cim.contract.projection import ProjectionType
from cim.domain.errors import CimError
from cim.log.release import RELEASE
from cim.log.sealing import BadSeal, Sealing
from cim.ports.keys import KeyLost
from cim.ports.rows import Layout, Place, RowsFailed, Session, Table
from cim.projections.held import HeldTable
from cim.projections.table import StoredTable, columns_of, quoted, table_of

SHOWN, NEXT = "rows", "next_rows"
"""The tables: what is read, and what is folded anew beside it."""

_COLUMNS = {
    "rows": "TEXT",
    "version": "TEXT",
    "sequence": "INTEGER",
    "digest": "TEXT",
    "stopped": "TEXT",
    "columns": "TEXT",
}
LAYOUT = Layout(1, (Table("cim_checkpoint", tuple(_COLUMNS.items()), ("rows",)),))

_READ = "SELECT version, sequence, digest, stopped FROM cim_checkpoint WHERE rows = ?"
_WRITE = "UPDATE cim_checkpoint SET sequence = ?, digest = ?, stopped = ? WHERE rows = ?"


class Unfoldable(CimError):
    """A commit that the projection's code cannot fold."""

    def __init__(self, commit: Commit, text: str) -> None:
        super().__init__(f"{place_of(commit.subject, commit.sequence)}: {text}")
        self.commit = commit


def place_of(subject: str, sequence: int) -> str:
    """How the place of a commit is written in why a projection stopped."""
    return f"sequence {sequence} ({subject})"


class Superseded(CimError):
    """Another process folds this place, by other code or from another place of the log."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far rows are folded: the sequence and the digest of the last commit that they hold, by which
    version of the code, and why they go no further, if they do not."""

    version: str
    sequence: int
    digest: str
    stopped: str | None


class Database:
    """The open place of one projection. Not for two threads at a time.

    ``folding`` is the table that is folded, ``written`` how far its checkpoint is.
    """

    def __init__(self, session: Session, kind: ProjectionType, sealing: Sealing | None = None) -> None:
        self._session, self._kind, self._sealing = session, kind, sealing or Sealing()
        self._body_of = self._sealing.body if kind.personal else None
        with session.writing():
            self.folding = self._choose()
        self._table = StoredTable(session, kind, self.folding, self._sealing)
        self.written = self.checkpoint.sequence
        self._passed: set[int] = set()

    @classmethod
    def open(cls, place: Place, kind: ProjectionType, sealing: Sealing | None = None) -> "Database":
        """The projection's place, made where it is missing, cannot be read, or has another layout."""
        session = place.open(LAYOUT, wiping=kind.personal)
        try:
            return cls(session, kind, sealing)
        except BaseException:
            session.close()
            raise

    @property
    def checkpoint(self) -> Checkpoint:
        """How far the rows are that are being folded."""
        found = self.read(self.folding)
        assert found is not None
        return found

    @property
    def shown(self) -> int:
        """Up to which sequence the rows are folded that can be read."""
        found = self.read(SHOWN)
        return 0 if found is None else found.sequence

    def read(self, rows: str) -> Checkpoint | None:
        """How far a table is; None where it is not there."""
        found = self._session.first(_READ, (rows,))
        return None if found is None else Checkpoint(*found)

    def take(self, commits: Sequence[Commit]) -> None:
        """Fold commits, rows and checkpoint in one transaction; those that are folded already are left out.

        Raises :class:`Unfoldable` for the first that cannot be folded: all before it are folded then, and
        the place tells why it goes no further.
        """
        try:
            self._fold(commits, None)
        except (RowsFailed, Superseded):
            raise
        except Exception:
            # Which commit it is that cannot be folded, the end of a transaction does not tell: its rows are
            # written there.
            self._take_one_by_one(commits)

    def _take_one_by_one(self, commits: Sequence[Commit]) -> None:
        for commit in commits:
            try:
                self._fold([commit], None)
            except (RowsFailed, Superseded):
                raise  # a full disk or a lost connection is not the event's fault
            except Exception as error:
                unfoldable = Unfoldable(commit, self._words_of(error))
                self._fold([], str(unfoldable))
                raise unfoldable from error

    def pass_over(self, sequence: int) -> None:
        """Leave out the commit at this sequence: it was released."""
        self._passed.add(sequence)

    def mark(self, last: Commit) -> None:
        """Write down that the rows hold everything up to this commit: nothing since the checkpoint concerned
        them."""
        with self._session.writing():
            self._mark(last)

    def _mark(self, last: Commit | None) -> None:
        found = self._expect()
        if last is not None and last.sequence > found.sequence:
            self._session.run(_WRITE, (last.sequence, last.digest, found.stopped, self.folding))
            self.written = last.sequence

    def switch(self, last: Commit | None = None) -> None:
        """Put the rows that were folded anew in the place of the old ones, if there are such; they are marked
        as :meth:`mark` does it."""
        if self.folding == SHOWN:
            return
        with self._session.writing():
            self._mark(last)
            self._session.run(f"DROP TABLE {quoted(SHOWN)}")
            self._session.run(f"ALTER TABLE {quoted(NEXT)} RENAME TO {quoted(SHOWN)}")
            self._session.run("DELETE FROM cim_checkpoint WHERE rows = ?", (SHOWN,))
            self._session.run("UPDATE cim_checkpoint SET rows = ? WHERE rows = ?", (SHOWN, NEXT))
        self.folding = SHOWN
        self._table = StoredTable(self._session, self._kind, SHOWN, self._sealing)
        if self._kind.personal:
            self._session.wipe()

    def begin_anew(self) -> None:
        """Forget the rows that are being folded: the log is another one than they were folded from."""
        with self._session.writing():
            self._make(self.folding)
        self.written = 0

    def close(self) -> None:
        """Let go of the place."""
        self._session.close()

    def _choose(self) -> str:
        """The table that this version folds: the one that is read, or a new one beside it."""
        shown, beside = self.read(SHOWN), self.read(NEXT)
        if shown is None:
            self._make(SHOWN)
            return SHOWN
        if shown.version == self._kind.version:
            self._drop(NEXT)
            return SHOWN
        if beside is None or beside.version != self._kind.version:
            self._make(NEXT)
        return NEXT

    def _make(self, rows: str) -> None:
        self._drop(rows)
        self._session.create(table_of(self._kind, rows))
        columns = codec.json_bytes(columns_of(self._kind)).decode()
        self._session.run(
            "INSERT INTO cim_checkpoint VALUES (?, ?, 0, '', NULL, ?)", (rows, self._kind.version, columns)
        )

    def _drop(self, rows: str) -> None:
        self._session.run(f"DROP TABLE IF EXISTS {quoted(rows)}")
        self._session.run("DELETE FROM cim_checkpoint WHERE rows = ?", (rows,))

    def _fold(self, commits: Sequence[Commit], stopped: str | None) -> None:
        with self._session.writing():
            before = self._expect()
            sequence, digest = before.sequence, before.digest
            left = [commit for commit in commits if commit.sequence > sequence]
            rows = HeldTable(self._table)
            for commit in left:
                if commit.type != RELEASE and commit.sequence not in self._passed:
                    for event in self._kind.events(commit, self._body_of):
                        self._kind.fold(event, rows)
            rows.write()
            if left:
                sequence, digest = left[-1].sequence, left[-1].digest
            self._session.run(_WRITE, (sequence, digest, stopped, self.folding))
        self.written = sequence

    def _words_of(self, error: Exception) -> str:
        """Why a commit cannot be folded, as it stays in the file and on the leaf's output."""
        if self._kind.personal and not isinstance(error, KeyLost | BadSeal):
            return f"{type(error).__name__}, whose words are not kept: they may tell what is personal"
        return str(error) if isinstance(error, CimError) else f"{type(error).__name__}: {error}"

    def _expect(self) -> Checkpoint:
        """The checkpoint in the place, which another process may have moved on, but not back or away."""
        found = self.read(self.folding)
        if found is None or found.version != self._kind.version:
            raise Superseded(f"{self._kind}: another process folds these rows by other code")
        if found.sequence < self.written:
            raise Superseded(f"{self._kind}: another process folds these rows from the log's beginning")
        return found
