"""A contract as its annotations say it: operations, and how their values travel as JSON.

Within one process a contract may speak of any value. What goes to another one (over NATS, or into a file of
recorded calls) must be made of what the codec writes and reads: :func:`read_contract` refuses the rest by
name.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

import msgspec

from cim.contract import codec
from cim.contract.annotations import bare, hints, is_union
from cim.contract.subjects import capability, token
from cim.domain.capability import CONTRACT_VERSION, Capability
from cim.domain.errors import CimError, Misdeclared

_EACH = (Iterator, Iterable)


class Lied(CimError):
    """A provider answered with something else than its contract says; the text names both."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of a contract: the types of its parameters by name, and of its result.

    Where it is ``each``, it gives values of ``result`` one after the other, and the list of them travels. One
    that ``waits`` is async: whoever calls it awaits the result.
    """

    contract: str
    name: str
    signature: inspect.Signature
    parameters: Mapping[str, Any]
    result: Any
    each: bool
    waits: bool = False

    def __str__(self) -> str:
        return f"{self.contract}.{self.name}"

    def arguments(self, *given: Any, **named: Any) -> bytes:
        """The arguments of a call as a JSON object by their names; those left out are the provider's to fill.

        Raises :class:`TypeError` as a call does, and :class:`CimError` for a value that cannot be written.
        """
        bound = self.signature.bind(None, *given, **named).arguments
        values = {name: bound[name] for name in self.parameters if name in bound}
        return _written(values, f"{self}: its arguments")

    def given(self, body: bytes) -> dict[str, Any]:
        """The arguments that a body holds, by name; raises :class:`cim.contract.codec.BadBody`."""
        found: dict[str, msgspec.Raw] = codec.value(body, dict[str, msgspec.Raw], f"{self}: its arguments")
        unknown = sorted(set(found) - set(self.parameters))
        if unknown:
            known = ", ".join(self.parameters) or "none"
            raise codec.BadBody(f"{self} takes no {unknown[0]!r}: its parameters are {known}")
        return {
            name: codec.value(raw, self.parameters[name], f"{self}: its argument {name}")
            for name, raw in found.items()
        }

    def answer(self, result: Any) -> bytes:
        """A result as JSON; raises :class:`CimError` for one that cannot be written."""
        return _written(list(result) if self.each else result, f"{self}: its answer")

    def result_of(self, body: bytes) -> Any:
        """The result that a body holds; raises :class:`Lied` where it is of another type."""
        try:
            found = codec.value(body, _list_of(self.result) if self.each else self.result, str(self))
        except codec.BadBody as error:
            raise Lied(f"it is no {self.said}: {error}") from error
        return iter(found) if self.each else found

    @property
    def said(self) -> str:
        """The type of its result in words."""
        return f"run of {_named(self.result)}" if self.each else _named(self.result)

    def check(self, result: Any) -> None:
        """Hold that a result looks like what the contract says, at a glance; raises :class:`Lied`.

        A glance at the outermost type: the parts of a result that does not travel are its system's to find.
        """
        if not self.each and not _looks_like(result, self.result):
            raise Lied(f"it is of type {type(result).__name__}, the contract says {self.said}")


@dataclass(frozen=True, slots=True)
class ContractType:
    """A contract: its name, its version, and its operations by name."""

    name: str
    version: int
    operations: Mapping[str, Operation]

    def subject(self, binding: str) -> str:
        """What begins the subjects of a binding of this contract."""
        return capability(self.name, self.version, binding)


def read_contract(contract: type[Any], where: str) -> ContractType:
    """A contract whose values travel; raises :class:`Misdeclared` that names what cannot, and ``where``."""
    read = {name: operation(contract, name) for name in methods(contract)}
    for one in read.values():
        for name, kind in one.parameters.items():
            _check_travels(kind, f"{where}: {one}: its parameter {name}")
        _check_travels(one.result, f"{where}: {one}: its result")
    return ContractType(token(contract.__name__, "contract"), version_of(contract), read)


def version_of(contract: type[Any]) -> int:
    """The version that a contract says of itself, 1 if it says none; raises :class:`Misdeclared`."""
    number = vars(contract).get(CONTRACT_VERSION, 1)
    if not isinstance(number, int) or number < 1:
        raise Misdeclared(f"{contract.__name__}: its version is {number!r}: a contract's version is 1, 2, …")
    return number


def methods(contract: type[Any]) -> list[str]:
    """The names of a contract's operations: its public methods, and those of contracts that it extends."""
    kinds = [kind for kind in contract.__mro__ if Capability in kind.__mro__ and kind is not Capability]
    found = {
        name: None
        for kind in kinds
        for name, value in vars(kind).items()
        if callable(value) and not name.startswith("_")
    }
    return list(found)


def operation(contract: type[Any], name: str) -> Operation:
    """One operation; raises :class:`Misdeclared` where its signature does not say enough."""
    function = getattr(contract, name)
    where = f"{contract.__name__}.{name}"
    signature, annotations = inspect.signature(function), hints(function)
    parameters: dict[str, Any] = {}
    for one in list(signature.parameters.values())[1:]:
        if one.kind not in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY):
            raise Misdeclared(
                f"{where}: parameter `{one.name}` cannot be given by its name: write it without * or /"
            )
        if one.name not in annotations:
            raise Misdeclared(f"{where}: parameter `{one.name}` has no annotation")
        parameters[one.name] = bare(annotations[one.name])
    if "return" not in annotations:
        raise Misdeclared(f"{where} does not say what it returns")
    result = bare(annotations["return"])
    each = get_origin(result) in _EACH
    inner = get_args(result)[0] if each else result
    waits = inspect.iscoroutinefunction(function)
    return Operation(contract.__name__, name, signature, parameters, inner, each, waits)


def _list_of(kind: Any) -> Any:
    return list[kind]


def _written(value: Any, where: str) -> bytes:
    try:
        return codec.json_bytes(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise CimError(f"{where} cannot be written: {error}") from error


def _check_travels(kind: Any, where: str) -> None:
    try:
        found = msgspec.inspect.type_info(type(None) if kind is None else kind)
    except TypeError as error:
        raise Misdeclared(f"{where} cannot travel: {error}") from error
    stranger = next(_strangers(found, set()), None)
    if stranger is not None:
        raise Misdeclared(
            f"{where} cannot travel to another process, for it holds {stranger}: bind the contract to a "
            f"provider in process, or say it with plain types, records and bytes"
        )


def _strangers(info: Any, seen: set[Any]) -> Iterator[str]:
    """The types within a type that no body can hold, or of which it would not say what they are."""
    match info:
        case msgspec.inspect.CustomType():
            yield _named(info.cls)
        case msgspec.inspect.AnyType():
            yield "Any"
        case msgspec.Struct():
            cls = getattr(info, "cls", None)
            if cls is not None and cls in seen:
                return
            seen.add(cls)
            for value in msgspec.structs.astuple(info):
                yield from _strangers(value, seen)
        case tuple():
            for one in info:
                yield from _strangers(one, seen)
        case _:
            return


def _looks_like(value: Any, kind: Any) -> bool:
    kinds = [get_origin(part) or part for part in (get_args(kind) if is_union(kind) else (kind,))]
    kinds = [type(None) if one is None else one for one in kinds]
    if any(not isinstance(one, type) or one is Any or getattr(one, "_is_protocol", False) for one in kinds):
        return True  # an annotation that says nothing at a glance
    return isinstance(value, tuple(kinds)) or (float in kinds and hasattr(value, "__float__"))


def _named(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)
