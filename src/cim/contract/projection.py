"""Projections, worked out from their signatures: which events they fold, into which rows."""

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from cim.contract import codec
from cim.contract.annotations import hints, members
from cim.contract.code import text_of
from cim.contract.entity import EntityType
from cim.contract.envelope import Commit
from cim.contract.personal import check_personal, personal_fields
from cim.contract.schema import check_shape, fingerprint
from cim.contract.shapes import known_shapes
from cim.contract.sources import Sources, sources_of
from cim.contract.stranger import Stranger
from cim.contract.subjects import kind_of, token
from cim.domain.errors import CimError, Misdeclared
from cim.domain.message import Event
from cim.domain.projection import KeyMark, Row, Table

LARGEST = 2**63 - 1
"""The largest whole number that a column or a key of its own holds."""


class BadRow(CimError):
    """A row or a key that is not what the projection's table takes."""


@dataclass(frozen=True, slots=True)
class ProjectionType:
    """A projection: its full name, the events that it folds, the rows that it writes and their key.

    ``fields`` names the row's, ``key`` maps those of the key, in their order, to their types. ``version``
    names the code, the events and the rows as they are written now: rows that were folded under another
    version are folded anew.
    """

    owner: str
    name: str
    function: Callable[..., None]
    event: str
    rows: str
    sources: Sources
    row: type[Row]
    fields: tuple[str, ...]
    key: Mapping[str, type[str] | type[int]]
    version: str

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}"

    @property
    def personal(self) -> bool:
        """Whether any event that it folds has personal fields."""
        return any(personal_fields(kind) for events in self.sources.values() for kind in events.values())

    def concerns(self, commit: Commit) -> bool:
        """Whether a commit can hold an event that the projection folds."""
        return kind_of(commit.subject) in self.sources and not isinstance(commit, Stranger)

    def events(self, commit: Commit, body_of: Callable[[Commit], bytes] | None = None) -> Iterator[Event]:
        """The events of a commit that the projection folds; :class:`CimError` for an unreadable one.

        ``body_of`` gives a commit's body with plain values: as it stands, where it is left out.
        """
        kind = kind_of(commit.subject)
        if kind is None or not self.concerns(commit):
            return
        known = self.sources[kind]
        shapes = known_shapes(tuple(known.values()))
        for item in codec.unread(commit.body if body_of is None else body_of(commit)):
            if item.type in shapes.names:
                yield from (event for event in shapes.read(item) if type(event).__name__ in known)

    def fold(self, event: Event, rows: Table[Any]) -> None:
        """Run the module's function; whatever it raises is raised."""
        self.function(**{self.event: event, self.rows: rows})

    def key_of(self, row: Row) -> tuple[str | int, ...]:
        """The key of a row."""
        return tuple(getattr(row, field) for field in self.key)

    def check_key(self, key: tuple[Any, ...]) -> None:
        """Hold that a key fits the table; raises :class:`BadRow`."""
        wanted = tuple(self.key.values())
        if tuple(map(type, key)) != wanted:
            fields = ", ".join(f"{field}: {kind.__name__}" for field, kind in self.key.items())
            raise BadRow(f"{self.row.__name__} is named by ({fields}), not by {key!r}")
        for value in key:
            if isinstance(value, int) and abs(value) > LARGEST:
                raise BadRow(f"{value} is no key of {self.row.__name__}: it needs more than 64 bits")

    def check_row(self, row: Any) -> dict[str, Any]:
        """Hold that a row is of the table's type and reads back as it is, and give it as plain data; raises
        :class:`CimError`."""
        if type(row) is not self.row:
            raise BadRow(f"the table holds rows of {self.row.__name__}, not {row!r}")
        plain: dict[str, Any] = codec.check(row)
        for name in self.fields:
            value = getattr(row, name)
            if isinstance(value, int) and abs(value) > LARGEST:
                raise BadRow(f"{self.row.__name__}.{name} is {value}, which needs more than 64 bits")
        self.check_key(self.key_of(row))
        return plain


def read_projection(
    owner: str, function: Callable[..., Any], entities: Iterable[EntityType]
) -> ProjectionType:
    """The projection that a function's signature declares; raises :class:`Misdeclared` by name."""
    where = f"{owner}.{function.__name__}"
    token(function.__name__, f"{owner}: projection")
    if inspect.iscoroutinefunction(function):
        raise Misdeclared(
            f"{where} is async: a projection folds, it waits for nothing; write a plain function"
        )
    annotations = hints(function)
    if annotations.get("return") not in (None, NoneType):
        raise Misdeclared(f"{where} returns something: what a projection finds it puts into its table")
    event, rows = _parameters(function, annotations, where)
    sources = sources_of(members(annotations[event]), entities, f"{where}: parameter `{event}`")
    row, key = _row(annotations[rows], f"{where}: parameter `{rows}`")
    version = _version(function, sources, row, key)
    fields, name = tuple(codec.field_names(row)), function.__name__
    return ProjectionType(owner, name, function, event, rows, sources, row, fields, key, version)


def _parameters(function: Callable[..., Any], annotations: Mapping[str, Any], where: str) -> tuple[str, str]:
    """The names of the parameters that take the event and the table."""
    parameters = inspect.signature(function).parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = [one.name for one in parameters if one.kind in named and one.name in annotations]
    tables = [name for name in names if get_origin(annotations[name]) is Table]
    events = [name for name in names if name not in tables]
    if len(parameters) != 2 or len(tables) != 1 or len(events) != 1:
        raise Misdeclared(f"{where} must be written `{where.rpartition('.')[2]}(event: …, rows: Table[…])`")
    return events[0], tables[0]


def _row(annotation: Any, where: str) -> tuple[type[Row], dict[str, type[str] | type[int]]]:
    row = get_args(annotation)[0]
    if not (isinstance(row, type) and issubclass(row, Row) and row is not Row):
        raise Misdeclared(f"{where} holds {row!r}, which is no Row: write `class Line(Row)`")
    check_shape(row, where)
    check_personal(row, where, owned=False)
    fields = hints(row)
    if len({name.lower() for name in fields}) < len(fields):
        raise Misdeclared(f"{where}: two fields of {row.__name__} differ in upper and lower case alone")
    key = {name: get_args(kind)[0] for name, kind in fields.items() if _is_key(kind)}
    if not key:
        raise Misdeclared(f"{where}: {row.__name__} marks no key: write `name: Key[str]` on what names a row")
    personal = personal_fields(row)
    for name, kind in key.items():
        if personal is not None and name in personal.erased:
            raise Misdeclared(f"{where}: {row.__name__}.{name} is Personal, and a key is readable")
        if kind not in (str, int):
            raise Misdeclared(f"{where}: {row.__name__}.{name} is a key of {kind}: a key is str or int")
    return row, key


def _is_key(annotation: Any) -> bool:
    return get_origin(annotation) is Annotated and any(
        isinstance(mark, KeyMark) for mark in get_args(annotation)
    )


def _version(function: Callable[..., Any], sources: Sources, row: type[Row], key: Iterable[str]) -> str:
    """A name for code, events and rows as they are written now: sixteen hex digits."""
    told = [*text_of([function]), fingerprint(frozenset([row])), *codec.field_names(row), *key]
    for entity, events in sorted(sources.items()):
        told += [*entity, *sorted(events), fingerprint(frozenset(events.values()))]
        told += [known_shapes(tuple(events.values())).version]
    for kind in (row, *(event for events in sources.values() for event in events.values())):
        personal = personal_fields(kind)
        told += (
            [] if personal is None else [f"{kind.__name__}.{name} is personal" for name in personal.erased]
        )
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
