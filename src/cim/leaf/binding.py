"""Providers bound to contracts: the one place where ``machine.toml`` meets a signature."""

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from cim.contract.annotations import hints
from cim.contract.system import SystemType
from cim.domain.blob import Blobs
from cim.domain.capability import Capability
from cim.domain.errors import Misdeclared
from cim.leaf.machine import FILE, Machine


class Binding:
    """Makes each provider once, when the first system needs it, and gives it to all."""

    def __init__(self, machine: Machine, blobs: Blobs) -> None:
        self._machine = machine
        self._made: dict[str, Any] = {Blobs.__name__: blobs}

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

    def _make(self, contract: type[Any], asker: str) -> Any:
        name = contract.__name__
        where = f"{self._machine.folder / FILE}: [providers] {name}"
        bound = self._machine.providers.get(name)
        if bound is None:
            raise Misdeclared(
                f'{asker} needs {name} and nothing is bound to it: add `{name} = "…:…"` to {where}'
            )
        table = {"use": bound} if isinstance(bound, str) else dict(bound)
        kind = _import(str(table.pop("use", "")), where)
        options = {**_contracts_of(kind, self, name), **table}
        try:
            inspect.signature(kind).bind(**options)
        except TypeError as error:
            raise Misdeclared(f"{where}: {kind.__name__} does not take these options: {error}") from error
        made = kind(**options)
        missing = [method for method in _methods(contract) if not callable(getattr(made, method, None))]
        if missing:
            raise Misdeclared(f"{where}: {kind.__name__} has no {missing[0]}, which the contract asks for")
        return made


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


def _contracts_of(kind: type[Any], binding: Binding, name: str) -> dict[str, Any]:
    """The providers that another provider's constructor asks for by annotation."""
    annotations = hints(kind.__init__)
    wanted = {
        parameter: contract
        for parameter, contract in annotations.items()
        if isinstance(contract, type) and Capability in contract.__mro__
    }
    return {parameter: binding.provider(contract, name) for parameter, contract in wanted.items()}


def _methods(contract: type[Any]) -> list[str]:
    return [name for name, value in vars(contract).items() if callable(value) and not name.startswith("_")]
