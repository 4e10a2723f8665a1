"""Golden bytes: a body of every shape that was ever released, kept in a file that a module's tests read.

``python -m cim.testing.golden tests/library.golden.jsonl library:library`` adds what is not kept yet, and
never changes what is: run it when a version is released, and keep the file with the tests. The test is
``golden("tests/library.golden.jsonl", library)``. It fails where a shape changed without a new version,
and where a body that was released can no longer be read.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from cim.contract import codec
from cim.contract.entity import read_entity
from cim.contract.schema import fingerprint
from cim.contract.shapes import Shapes, known_shapes
from cim.domain.context import Context
from cim.domain.errors import CimError
from cim.domain.former import version_of

What = Context | type[Any]
"""A context, for its events and components; or a single type."""


class Kept(msgspec.Struct, frozen=True):
    """A line of the file: the fingerprint of a shape, and a body with one item of it, byte for byte."""

    shape: str
    body: msgspec.Raw

    @property
    def item(self) -> codec.Unread:
        """The item of the body."""
        (found,) = codec.unread(bytes(self.body))
        return found


def golden(path: str | os.PathLike[str], *what: What) -> None:
    """Hold that every body in the file still reads, and that no shape differs from the one that was kept.

    Raises :class:`AssertionError` that names each and says what to do.
    """
    kinds, lines = _kinds(what), read_kept(path)
    shapes = known_shapes(kinds)
    wrong = [*_changed(kinds, lines, path), *(text for line in lines for text in _unreadable(line, shapes))]
    if wrong:
        raise AssertionError("\n".join([f"{os.fspath(path)} and the code differ:", *dict.fromkeys(wrong)]))


def keep(path: str | os.PathLike[str], *what: What) -> list[str]:
    """Add a body of each shape that the file does not hold yet; returns what was added, for a person.

    Raises :class:`CimError` where no example of a type can be made.
    """
    there = {(line.item.type, line.item.version) for line in read_kept(path)}
    new = [kind for kind in _kinds(what) if (kind.__name__, version_of(kind)) not in there]
    lines = [Kept(fingerprint(frozenset([kind])), msgspec.Raw(codec.write([example(kind)]))) for kind in new]
    with Path(path).open("ab") as file:
        file.writelines(msgspec.json.encode(line) + b"\n" for line in lines)
    return [f"{kind.__name__} version {version_of(kind)}" for kind in new]


def read_kept(path: str | os.PathLike[str]) -> list[Kept]:
    """The lines of the file; none where there is no file yet."""
    if not Path(path).exists():
        return []
    return [msgspec.json.decode(line, type=Kept) for line in Path(path).read_bytes().splitlines()]


def example(kind: type[Any]) -> Any:
    """A record of a type in which every field holds something."""
    try:
        return codec.typed(_value(inspect.type_info(kind), kind.__name__), kind)
    except (TypeError, codec.BadBody) as error:
        raise CimError(
            f"no example of {kind.__name__} can be made: {error}; write its line by hand"
        ) from error


def _kinds(what: Iterable[What]) -> tuple[type[Any], ...]:
    found: dict[type[Any], None] = {}
    for one in what:
        if isinstance(one, Context):
            entities = (read_entity(declared) for declared in one.entities)
            found |= dict.fromkeys(event for kind in entities for event in kind.events.values())
            found |= dict.fromkeys(declared.component for declared in one.components)
        else:
            found[one] = None
    return tuple(found)


def _changed(kinds: Iterable[type[Any]], lines: list[Kept], path: object) -> Iterator[str]:
    kept = {(line.item.type, line.item.version): line.shape for line in lines}
    for kind in kinds:
        name, version = kind.__name__, version_of(kind)
        shape = kept.get((name, version))
        if shape is None:
            yield (
                f"  {name} version {version} is not kept yet: once its shape is settled, run "
                f"`python -m cim.testing.golden {path} MODULE:CONTEXT`"
            )
        elif shape != fingerprint(frozenset([kind])):
            yield (
                f"  {name} has another shape than its version {version} that was released: take the "
                f"change back, or keep the released shape as `class {name}{version}(Former, "
                f"version={version})` with an `upcast`, and write `class {name}(…, formerly={name}{version})`"
            )


def _unreadable(line: Kept, shapes: Shapes) -> Iterator[str]:
    item = line.item
    name = f"  {item.type} version {item.version}"
    kind = shapes.present.get((item.type, item.version)) or shapes.former.get((item.type, item.version))
    if kind is None:
        yield f"{name} was released and can no longer be read: logs hold it; keep a Former of it"
        return
    try:
        (again,) = codec.unread(codec.write([codec.read(item, kind)]))
        if bytes(again.data) != bytes(item.data):
            said = bytes(again.data).decode()
            yield f"{name} is read and written as {said}: {kind.__name__} has another shape"
        shapes.read(item)
    except CimError as error:
        yield f"{name} can no longer be read: {error}"


def _value(kind: inspect.Type, name: str) -> Any:
    """Plain data of a type; a text is the name of its field."""
    match kind:
        case inspect.DataclassType(fields=fields) | inspect.StructType(fields=fields):
            return {field.encode_name: _value(field.type, field.name) for field in fields}
        case inspect.UnionType(types=types):
            return _value(next(one for one in types if not isinstance(one, inspect.NoneType)), name)
        case inspect.CollectionType(item_type=item):
            return [_value(item, name)]
        case inspect.TupleType(item_types=items):
            return [_value(item, name) for item in items]
        case inspect.DictType(key_type=key, value_type=value):
            return {_value(key, name): _value(value, name)}
        case inspect.EnumType(cls=cls):
            return next(iter(cls)).value
        case inspect.LiteralType(values=values):
            return values[0]
        case _:
            return _PLAIN.get(type(kind), name)


_PLAIN: dict[type[inspect.Type], Any] = {
    inspect.BoolType: True,
    inspect.IntType: 7,
    inspect.FloatType: 0.5,
    inspect.DecimalType: "12.50",
    inspect.DateType: "2026-01-02",
    inspect.TimeType: "03:04:05",
    inspect.DateTimeType: "2026-01-02T03:04:05Z",
    inspect.TimeDeltaType: "PT90S",
    inspect.UUIDType: "00000000-0000-4000-8000-000000000000",
    inspect.BytesType: "AAEC",
    inspect.NoneType: None,
}


def main(arguments: list[str] | None = None) -> int:
    """Add what is not kept yet and say what was added."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", type=Path, help="the file of golden bodies, beside the tests")
    parser.add_argument("what", nargs="+", help="MODULE:NAME of a context, or of a single type")
    given = parser.parse_args(arguments)
    found = []
    for one in given.what:
        module, _, name = one.partition(":")
        found.append(getattr(importlib.import_module(module), name))
    added = keep(given.file, *found)
    print("\n".join(added) or "nothing new")
    return 0


if __name__ == "__main__":
    sys.exit(main())
