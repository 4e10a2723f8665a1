"""Queries, worked out from their signatures: what is asked, whose rows are read, what is answered."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from cim.contract import codec
from cim.contract.annotations import hints
from cim.contract.projection import ProjectionType
from cim.contract.subjects import token
from cim.domain.errors import CimError, Misdeclared
from cim.domain.projection import Rows

T = TypeVar("T")

LONGEST_PATIENCE = 60.0


class BadQuestion(CimError):
    """A question that cannot be answered as it was put; the text names the part that is off."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What any question may say: ``reached`` is the sequence of the log that the rows must hold before it is
    answered (a receipt's, to read what was written), ``patience`` the seconds to wait for that."""

    reached: int = 0
    patience: float = 5.0

    def __post_init__(self) -> None:
        if not self.reached >= 0:
            raise ValueError(f"reached is {self.reached}: it is a sequence of the log, as a receipt says it")
        if not 0 <= self.patience <= LONGEST_PATIENCE:
            raise ValueError(f"patience is {self.patience:g}: it is 0 to {LONGEST_PATIENCE:g} seconds")


WAITING = Waiting.__struct_fields__
"""The names that no parameter of a declared query may have."""


class RowsQuestion(Waiting, frozen=True):
    """What the rows of a projection are asked for: those whose key begins with ``key`` and whose columns are
    equal to ``where``, in the order of their keys, past the key ``after``, at most ``limit`` of them."""

    key: tuple[str | int, ...] = ()
    where: dict[str, str | int | float | bool | None] = {}
    after: tuple[str | int, ...] | None = None
    limit: int = 1000

    def __post_init__(self) -> None:
        Waiting.__post_init__(self)
        if not 1 <= self.limit <= 10_000:
            raise ValueError(f"limit is {self.limit}: it is 1 to 10,000 rows")


def rows_question(body: bytes, name: str) -> RowsQuestion:
    """The question about a projection's rows that a body holds; raises :class:`BadQuestion`."""
    return _converted(codec.question(body), RowsQuestion, name)


@dataclass(frozen=True, slots=True)
class QueryType:
    """A declared query: its full name, its question as a type, the projections whose rows it reads by the
    parameters that take them, and the type of its answer."""

    owner: str
    name: str
    function: Callable[..., Any]
    question: type[Waiting]
    reads: Mapping[str, ProjectionType]
    answer: Any

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}"

    def asked(self, data: Mapping[str, Any]) -> Waiting:
        """Plain data as a question; raises :class:`BadQuestion` that names the field."""
        return _converted(data, self.question, str(self))

    def asked_by_text(self, data: Mapping[str, str]) -> dict[str, Any]:
        """Fields given as text, such as on a command line, as plain data of a question."""
        found = _converted(data, self.question, str(self), strict=False)
        return {name: codec.plain(getattr(found, name)) for name in data}

    def run(self, question: Waiting, rows: Mapping[str, Rows[Any]]) -> bytes:
        """The answer as JSON; whatever the module's function raises is raised."""
        fields = {name: getattr(question, name) for name in self.question.__struct_fields__}
        given = {name: value for name, value in fields.items() if name not in WAITING}
        answer = self.function(**given, **rows)
        try:
            body = codec.json_bytes(answer)
            msgspec.json.decode(body, type=self.answer)
        except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise CimError(f"{self} answered something else than it declares: {error}") from error
        return body

    def answered(self, body: bytes) -> Any:
        """An answer in JSON as the type that the query declares."""
        return msgspec.json.decode(body, type=self.answer)


def _converted(data: Mapping[str, Any], kind: type[T], name: str, *, strict: bool = True) -> T:
    try:
        return msgspec.convert(data, kind, strict=strict)
    except msgspec.ValidationError as error:
        fields = ", ".join(getattr(kind, "__struct_fields__", ()))
        raise BadQuestion(f"{name}: {error}; a question has: {fields}") from error


def read_query(owner: str, function: Callable[..., Any], projections: Iterable[ProjectionType]) -> QueryType:
    """The query that a function's signature declares; raises :class:`Misdeclared` by name."""
    where = f"{owner}.{function.__name__}"
    token(function.__name__, f"{owner}: query")
    if inspect.iscoroutinefunction(function):
        raise Misdeclared(
            f"{where} is async: a query reads rows, it waits for nothing; write a plain function"
        )
    annotations = hints(function)
    answer = annotations.pop("return", None)
    if answer in (None, NoneType):
        raise Misdeclared(f"{where} answers nothing: say `-> list[…]` or another type")
    parameters = _parameters(function, annotations, where)
    reads = {
        name: _source(annotations[name], projections, f"{where}: parameter `{name}`")
        for name in parameters
        if get_origin(annotations[name]) is Rows
    }
    if not reads:
        raise Misdeclared(f"{where} reads no rows: write `rows: Rows[…]` with the Row of a projection")
    asked = {name: one for name, one in parameters.items() if name not in reads}
    question = _question(where, asked, annotations)
    for kind, what in ((question, "its question"), (answer, "its answer")):
        _check_json(kind, f"{where}: {what}")
    return QueryType(owner, function.__name__, function, question, reads, answer)


def _parameters(
    function: Callable[..., Any], annotations: Mapping[str, Any], where: str
) -> Mapping[str, inspect.Parameter]:
    parameters = inspect.signature(function).parameters
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    for name, one in parameters.items():
        if one.kind not in named or name not in annotations:
            raise Misdeclared(f"{where}: parameter `{name}` must have a name and say its type")
        if name in WAITING or name.startswith("_"):
            raise Misdeclared(f"{where}: a parameter cannot be named `{name}`: name it otherwise")
    return parameters


def _source(annotation: Any, projections: Iterable[ProjectionType], where: str) -> ProjectionType:
    row = get_args(annotation)[0]
    found = [kind for kind in projections if kind.row is row]
    if len(found) == 1:
        return found[0]
    name = getattr(row, "__name__", repr(row))
    if found:
        those = " and ".join(map(str, found))
        raise Misdeclared(f"{where} reads rows of {name}, which {those} write: give each a Row of its own")
    known = ", ".join(f"{kind.row.__name__} of {kind}" for kind in projections) or "none"
    raise Misdeclared(f"{where} reads rows of {name}, which no projection here writes; there are: {known}")


def _question(
    where: str, asked: Mapping[str, inspect.Parameter], annotations: Mapping[str, Any]
) -> type[Waiting]:
    fields = [
        (name, annotations[name], *([] if one.default is one.empty else [one.default]))
        for name, one in asked.items()
    ]
    name = where.rpartition(".")[2]
    try:
        made: Any = msgspec.defstruct(name, fields, bases=(Waiting,), frozen=True, kw_only=True)
    except TypeError as error:
        raise Misdeclared(f"{where}: its question cannot be read from JSON: {error}") from error
    question: type[Waiting] = made
    return question


def _check_json(kind: Any, where: str) -> None:
    try:
        msgspec.json.schema(kind)
    except (TypeError, NameError) as error:
        reason = str(error).splitlines()[-1]
        raise Misdeclared(f"{where} cannot be written as JSON: {reason}") from error
