"""What an agent's model has to come to: a record, a tuple of records, or text; as a schema, and read back."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, get_args, get_origin

import msgspec

from cim.contract import codec
from cim.contract.annotations import is_union, members
from cim.contract.schema import check_shape
from cim.domain.errors import Misdeclared
from cim.domain.record import Record

_REF = "#/$defs/"


@dataclass(frozen=True, slots=True)
class Answer:
    """The shape of an answer. ``places`` are its records in their order, each with whether it may be None;
    there is none where it is text, and one alone where ``is_one``."""

    places: tuple[tuple[type[Record], bool], ...]
    is_one: bool = False

    def __str__(self) -> str:
        names = [f"{kind.__name__} | None" if maybe else kind.__name__ for kind, maybe in self.places]
        return names[0] if self.is_one else f"({', '.join(names)})" if names else "text"

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the object that a model gives; of text there is none."""
        if self.is_one:
            return object_schema(self.places[0][0])
        made = {kind.__name__: object_schema(kind) for kind, _ in self.places}
        defs = {name: one for schema in made.values() for name, one in schema.pop("$defs", {}).items()}
        needed = [kind.__name__ for kind, maybe in self.places if not maybe]
        return {"type": "object", "properties": made, "required": needed, **({"$defs": defs} if defs else {})}

    def read(self, data: Mapping[str, Any]) -> Any:
        """The answer that an object holds; raises :class:`cim.contract.codec.BadBody` naming the field."""
        if self.is_one:
            return _read(data, self.places[0][0])
        unknown = sorted(set(data) - {kind.__name__ for kind, _ in self.places})
        if unknown:
            raise codec.BadBody(f"the answer has no {unknown[0]!r}: it is {self}")
        return tuple(self._place(data.get(kind.__name__), kind, maybe) for kind, maybe in self.places)

    def _place(self, data: Any, kind: type[Record], maybe: bool) -> Any:
        if data is None and maybe:
            return None
        if data is None:
            raise codec.BadBody(f"the answer has no {kind.__name__}: it is {self}")
        return _read(data, kind)


def _read(data: Any, kind: type[Record]) -> Record:
    record = codec.typed_whole(data, kind)
    codec.check(record)
    return record


def read_answer(annotation: Any, where: str) -> Answer:
    """The answer that ``Think[…]`` names; raises :class:`Misdeclared`."""
    if annotation is str:
        return Answer(())
    if get_origin(annotation) is not tuple:
        return Answer((_one(annotation, where),), is_one=True)
    places = tuple(_one(place, where) for place in get_args(annotation))
    names = [kind.__name__ for kind, _ in places]
    for name in names:
        if names.count(name) > 1:
            raise Misdeclared(f"{where}: it answers with two {name}: name one of them otherwise")
    return Answer(places)


def _one(annotation: Any, where: str) -> tuple[type[Record], bool]:
    kinds = members(annotation)
    if len(kinds) != 1 or not (isinstance(kinds[0], type) and issubclass(kinds[0], Record)):
        raise Misdeclared(
            f"{where}: a model answers with a record, a tuple of records or str, not with {annotation!r}"
        )
    check_shape(kinds[0], where)
    return kinds[0], is_union(annotation) and NoneType in get_args(annotation)


def object_schema(kind: type[Any]) -> dict[str, Any]:
    """The JSON Schema of a record type as an object that stands by itself, its prose with it."""
    (top,), defs = msgspec.json.schema_components([kind], ref_template=f"{_REF}{{name}}")
    name = str(top.get("$ref", "")).removeprefix(_REF)
    found = dict(defs.pop(name)) if name in defs else dict(top)
    if any(f"{_REF}{name}" in str(one) for one in (found, *defs.values())):  # it holds itself
        defs[name] = dict(found)
    return {**found, **({"$defs": defs} if defs else {})}
