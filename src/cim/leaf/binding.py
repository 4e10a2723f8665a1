"""Providers bound to contracts: the one place where ``machine.toml`` meets a signature."""

import importlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cim.contract.annotations import hints
from cim.contract.system import SystemType
from cim.contract.topology.derived import Provider
from cim.contract.topology.words import first_line
from cim.domain.blob import Blobs
from cim.domain.capability import Capability
from cim.domain.errors import CimError, Misdeclared
from cim.leaf.machine import FILE, Machine

OWN = "the leaf"
"""The name of what fulfils a contract that is bound to nothing, because every leaf brings it."""


class Binding:
    """Makes each provider once, when the first system needs it, and gives it to all.

    Without ``blobs`` it can check and not make.
    """

    def __init__(self, machine: Machine, blobs: Blobs | None = None) -> None:
        self._machine = machine
        self._made: dict[str, Any] = {Blobs.__name__: blobs}
        self._making: list[str] = []

    def needs(self, system: SystemType) -> Mapping[str, Any]:
        """A provider for each contract that a system's signature names."""
        return {
            parameter: self.provider(contract, str(system)) for parameter, contract in system.needs.items()
        }

    def provider(self, contract: type[Any], asker: str) -> Any:
        """What fulfils a contract; raises :class:`Misdeclared` naming who asked and what is missing."""
        name = contract.__name__
        if name not in self._made:
            self._made[name] = self._make(contract, asker)
        return self._made[name]

    def check(self, systems: Iterable[SystemType]) -> None:
        """Hold that each contract that systems name is bound to what can fulfil it, without making it.

        Raises :class:`Misdeclared` by name. Whether it can be made (its weights are there and whole) is
        found out where it is made.
        """
        for system in systems:
            for contract in system.needs.values():
                self._check(contract, str(system), ())

    def bound(self, systems: Iterable[SystemType]) -> tuple[Provider, ...]:
        """What is bound to each contract that systems need, and to those that these need in turn; none of it
        is made. Raises :class:`Misdeclared` as :meth:`check` does."""
        systems = tuple(systems)
        self.check(systems)
        found: dict[str, Provider] = {}
        left = [(contract, str(system)) for system in systems for contract in system.needs.values()]
        for contract, asker in left:
            name = contract.__name__
            if name in found:
                continue
            if name in self._made:
                found[name] = Provider(name, OWN)
                continue
            kind, _, _ = self._chosen(contract, asker)
            needs = tuple(_contracts(kind).values())
            found[name] = Provider(name, f"{kind.__module__}:{kind.__qualname__}", first_line(kind), needs)
            left += [(inner, name) for inner in needs]
        return tuple(found.values())

    def _check(self, contract: type[Any], asker: str, path: tuple[str, ...]) -> None:
        if contract.__name__ in self._made:
            return
        kind, table, where = self._chosen(contract, asker)
        _no_circle(contract.__name__, path, where)
        contracts = _contracts(kind)
        for inner in contracts.values():
            self._check(inner, contract.__name__, (*path, contract.__name__))
        _bind(kind, {**contracts, **table}, where)
        _fulfils(kind, contract, where)

    def _make(self, contract: type[Any], asker: str) -> Any:
        kind, table, where = self._chosen(contract, asker)
        made = _constructed(kind, {**self._contracts_of(kind, contract.__name__, where), **table}, where)
        _fulfils(made, contract, where)
        return made

    def _chosen(self, contract: type[Any], asker: str) -> tuple[type[Any], dict[str, Any], str]:
        """The class that is bound to a contract, the options that stand with it, and where."""
        name = contract.__name__
        where = f"{self._machine.folder / FILE}: [providers] {name}"
        bound = self._machine.providers.get(name)
        if bound is None:
            raise Misdeclared(
                f'{asker} needs {name} and nothing is bound to it: add `{name} = "…:…"` to {where}'
            )
        table = {"use": bound} if isinstance(bound, str) else dict(bound)
        return _import(str(table.pop("use", "")), where), table, where

    def _contracts_of(self, kind: type[Any], name: str, where: str) -> dict[str, Any]:
        """The providers that another provider's constructor asks for by annotation."""
        _no_circle(name, self._making, where)
        self._making.append(name)
        try:
            return {
                parameter: self.provider(contract, name) for parameter, contract in _contracts(kind).items()
            }
        finally:
            self._making.pop()


def _contracts(kind: type[Any]) -> dict[str, type[Any]]:
    """The contracts that a provider's constructor asks for by annotation."""
    return {
        parameter: contract
        for parameter, contract in hints(kind.__init__).items()
        if isinstance(contract, type) and Capability in contract.__mro__
    }


def _no_circle(name: str, path: Sequence[str], where: str) -> None:
    if name in path:
        circle = " → ".join((*path[path.index(name) :], name))
        raise Misdeclared(f"{where}: providers need each other in a circle: {circle}")


def _fulfils(provider: Any, contract: type[Any], where: str) -> None:
    missing = [method for method in _methods(contract) if not callable(getattr(provider, method, None))]
    if missing:
        name = provider.__name__ if isinstance(provider, type) else type(provider).__name__
        raise Misdeclared(f"{where}: {name} has no {missing[0]}, which the contract asks for")


def _bind(kind: type[Any], options: Mapping[str, Any], where: str) -> None:
    try:
        inspect.signature(kind).bind(**options)
    except TypeError as error:
        raise Misdeclared(f"{where}: {kind.__name__} does not take these options: {error}") from error


def _constructed(kind: type[Any], options: Mapping[str, Any], where: str) -> Any:
    _bind(kind, options, where)
    try:
        return kind(**options)
    except Exception as error:
        cause = str(error) if isinstance(error, CimError) else f"{type(error).__name__}: {error}"
        raise Misdeclared(f"{where}: {kind.__name__} cannot be made: {cause}") from error


def _import(target: str, where: str) -> type[Any]:
    module, _, name = target.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise Misdeclared(
            f"{where}: {target!r} cannot be imported ({error}); write it as package.module:Class, and "
            f"install what it needs (the documents machine: composable-information-machine[documents])"
        ) from error
    if not isinstance(found, type):
        raise Misdeclared(f"{where}: {target!r} is no class")
    return found


def _methods(contract: type[Any]) -> list[str]:
    return [name for name, value in vars(contract).items() if callable(value) and not name.startswith("_")]
