"""An entity as one row of an index, and back: equal in all that decides what is done on it next.

What is personal is not written: a copy of the file would outlive an erasure. Such an entity, and one whose
state JSON does not give back as it was, is a row without a body, and is folded from its own history.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

import cim
from cim.contract import codec
from cim.contract.code import functions_of, text_of
from cim.contract.composition import Composition
from cim.contract.envelope import BadEnvelope, Commit
from cim.contract.kept import Kept, commit_of, keep
from cim.contract.schema import fingerprint
from cim.contract.shapes import known_shapes
from cim.contract.subjects import Ref
from cim.contract.system import Read
from cim.domain.errors import CimError
from cim.log.chain import Head
from cim.ports.index import IndexRuined, Row
from cim.world.entity import Cell, Correction, Entity, Gone, Run, Wait
from cim.world.events import events_in

_FOLDING = ("contract", "domain", "log", "processes", "world")
"""The packages of the framework whose code says what a fold is."""


class _Entity(msgspec.Struct, array_like=True):
    """An entity without its state; ``words`` are its corrections, each a commit and the place of the event
    in it. Cells are without theirs: ``right`` and ``right_gone`` say which of these words put one right."""

    cells: dict[str, Cell]
    gone: dict[str, Gone]
    words: dict[str, list[tuple[Kept, int]]]
    right: dict[str, int]
    right_gone: dict[str, int]
    runs: dict[str, Run]
    heads: dict[str, Head]
    stopped: str | None
    held: list[Kept]
    passed: list[int]
    waits: dict[str, Wait]


_LINE = b"\n"
"""Stands between the state and all else: JSON in one line has none."""

_ENCODER = msgspec.json.Encoder(decimal_format="string")
_DECODER = msgspec.json.Decoder(_Entity)


class Rows:
    """Makes rows of the entities of a composition, and entities of rows. ``version`` names the code that
    folds them."""

    def __init__(self, composition: Composition) -> None:
        self._composition = composition
        self.version = _version(composition)

    def row(self, entity: Entity, is_due: bool = False, targets: Collection[Ref] = ()) -> Row:
        """The row of an entity, on which something may be due, and which refers to ``targets``."""
        try:
            body = None if entity.is_personal else self._body(entity)
        except (codec.BadBody, BadEnvelope, TypeError, ValueError, OverflowError, RecursionError):
            body = None
        is_troubled = entity.stopped is not None or bool(entity.failures)
        return Row(
            entity.ref, entity.first, entity.sequence, body, is_troubled, is_due, [*entity.cells], targets
        )

    def entity(self, row: Row) -> Entity:
        """The entity of a row; one without a body knows nothing yet. Raises :class:`IndexRuined`."""
        kind = self._composition.entities.get((row.ref.context, row.ref.entity))
        entity = Entity(row.ref, None if kind is None else kind.state())
        entity.first, entity.sequence = row.first, row.sequence
        if row.body is not None:
            try:
                self._fill(entity, row.body)
            except (msgspec.MsgspecError, CimError, ValueError, LookupError) as error:
                raise IndexRuined(
                    f"{row.ref}: what was kept of it cannot be read ({error}): start again once the leaf's "
                    f"world.sqlite is removed, it is made anew"
                ) from error
        return entity

    def _body(self, entity: Entity) -> bytes:
        state = b"null" if entity.state is None else codec.whole(entity.state)
        right = _right(entity, entity.cells)
        right_gone = _right(entity, {key: one.cell for key, one in entity.gone.items()})
        written = _Entity(
            {**entity.cells, **{key: _bare(entity.cells[key]) for key in right}},
            {**entity.gone, **{key: _bare_gone(entity.gone[key]) for key in right_gone}},
            {key: [self._word(entity, one) for one in said] for key, said in entity.corrections.items()},
            right,
            right_gone,
            entity.runs,
            entity.heads,
            entity.stopped,
            [keep(commit) for commit in entity.held],
            sorted(entity.passed),
            entity.waits,
        )
        return state + _LINE + _text(written)

    def _fill(self, entity: Entity, body: bytes) -> None:
        state, _, text = body.partition(_LINE)
        kept = _read(text)
        if entity.state is not None:
            entity.state = codec.record(state, type(entity.state))
        for key, said in kept.words.items():
            entity.corrections[key] = [self._correction(entity.ref, *one) for one in said]
        words = entity.corrections
        entity.cells, entity.gone = kept.cells, kept.gone
        for key, place in kept.right.items():
            entity.cells[key] = replace(entity.cells[key], correction=words[key][place])
        for key, place in kept.right_gone.items():
            cell = replace(entity.gone[key].cell, correction=words[key][place])
            entity.gone[key] = replace(entity.gone[key], cell=cell)
        entity.runs, entity.heads = kept.runs, kept.heads
        entity.stopped, entity.passed = kept.stopped, set(kept.passed)
        entity.held = [commit_of(one) for one in kept.held]
        entity.waits = kept.waits

    def _word(self, entity: Entity, said: Correction) -> tuple[Kept, int]:
        return keep(said.commit), self._said(entity.ref, said.commit).index(said.event)

    def _correction(self, ref: Ref, message: Kept, place: int) -> Correction:
        commit = commit_of(message)
        return Correction(self._said(ref, commit)[place], commit)

    def _said(self, ref: Ref, commit: Commit) -> list[Any]:
        kind = self._composition.entity(ref.context, ref.entity)
        return list(events_in(kind, codec.unread(commit.body), commit))


def _right(entity: Entity, cells: Mapping[str, Cell]) -> dict[str, int]:
    """Which of a component's corrections is the last that put it right."""
    return {
        key: next(place for place, one in enumerate(entity.corrections[key]) if one is cell.correction)
        for key, cell in cells.items()
        if cell.correction is not None
    }


def _bare(cell: Cell) -> Cell:
    return replace(cell, correction=None)


def _bare_gone(gone: Gone) -> Gone:
    return replace(gone, cell=_bare(gone.cell))


def _text(written: _Entity) -> bytes:
    try:
        return _ENCODER.encode(written)
    except UnicodeEncodeError:  # a stranger's subject, which is no UTF-8
        return json.dumps(msgspec.to_builtins(written)).encode()


def _read(text: bytes) -> _Entity:
    try:
        return _DECODER.decode(text)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # a lone surrogate is none to msgspec
        return msgspec.convert(json.loads(text), _Entity)


def _version(composition: Composition) -> str:
    """A name for all that says how an entity is folded, code, events, states and components, and what is
    due on it: what systems read."""
    told = [_framework()]
    told += sorted(f"{kind} {kind.version}" for kind in composition.entities.values())
    for one in sorted(composition.components, key=lambda one: (one.of, one.key)):
        events = ", ".join(sorted(event.__name__ for event in one.corrected_by))
        told.append(f"{one.of} {one.key} {fingerprint(frozenset([one.component]))} {events}")
        told += [known_shapes((one.component,)).version, *text_of(functions_of(one.component))]
    told += sorted(
        f"{system} {system.of} {_asked(read)}" for system in composition.systems for read in system.reads
    )
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _asked(read: Read) -> str:
    """What a parameter asks for."""
    across = read.relation
    by = "" if across is None else f"{across} {across.of} {across.default}"
    where = [(one.field, one.operator, repr(one.operand)) for one in read.conditions]
    return f"{read.parameter} {read.kind} {read.of} {read.source} {where} {by}"


@cache
def _framework() -> str:
    """The text of what folds: another release of it folds anew."""
    found = hashlib.sha256()
    for path in _sources(Path(cim.__file__).parent):
        found.update(path.read_bytes())
    return found.hexdigest()


def _sources(root: Path) -> Iterator[Path]:
    for name in _FOLDING:
        yield from sorted((root / name).rglob("*.py"))
