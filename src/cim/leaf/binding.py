"""Providers bound to contracts: the one place where ``machine.toml`` meets a signature."""

import importlib
import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from cim.capabilities.terms import Over
from cim.contract.annotations import hints
from cim.contract.capability import ContractType, methods, read_contract
from cim.contract.system import SystemType
from cim.contract.topology.derived import Provider
from cim.contract.topology.words import first_line
from cim.domain.blob import Blobs
from cim.domain.capability import Capability
from cim.domain.errors import CimError, Misdeclared
from cim.leaf.bound import Entries, Entry, Made
from cim.leaf.machine import Machine
from cim.providers.recorded import Recorded

OWN = "the leaf"
"""The name of what fulfils a contract that is bound to nothing, because every leaf brings it."""

RECORD = "CIM_RECORD"
"""The variable under which recorded providers ask the real one and write down what it says."""

Remote = Callable[[ContractType, Over], Any]
"""Makes what stands in for a provider that is asked over NATS."""

Need = tuple[type[Any], str | None]
"""A contract, and the module for whose systems it is."""


class Binding:
    """Makes each provider once, when the first system needs it, and gives it to all for whom it is.

    Without ``blobs`` it can check and not make, without ``remote`` not what is asked over NATS. With
    ``provided`` it makes what the providers of that binding are.
    """

    def __init__(
        self,
        machine: Machine,
        blobs: Blobs | None = None,
        remote: Remote | None = None,
        *,
        provided: str | None = None,
    ) -> None:
        self._entries, self._remote, self._provided = Entries.of(machine, provided), remote, provided
        # A provider brings no store of contents where it is a process of its own: it has no way to one.
        self._own = {Blobs.__name__: blobs} if provided is None else {}
        self._made: dict[str, Any] = {}
        self._making: list[str] = []

    def needs(self, system: SystemType) -> Mapping[str, Any]:
        """A provider for each contract that a system's signature names."""
        return {
            parameter: self.provider(contract, str(system), system.owner)
            for parameter, contract in system.needs.items()
        }

    def provider(self, contract: type[Any], asker: str, module: str | None = None) -> Any:
        """What fulfils a contract for a module's systems; raises :class:`Misdeclared` naming who asked and
        what is missing."""
        name = contract.__name__
        if name in self._own:
            return self._own[name]
        entry = self._chosen(contract, asker, module)
        if entry.key not in self._made:
            self._made[entry.key] = self._make(contract, entry)
        return self._made[entry.key]

    def check(self, systems: Iterable[SystemType]) -> None:
        """Hold that each contract that systems name is bound to what can fulfil it, without making it.

        Raises :class:`Misdeclared` by name. Whether it can be made (its weights are there and whole) is
        found out where it is made.
        """
        for system in systems:
            for contract in system.needs.values():
                self.check_contract(contract, str(system), system.owner)

    def check_contract(
        self, contract: type[Any], asker: str, module: str | None = None, path: tuple[str, ...] = ()
    ) -> None:
        """As :meth:`check`, of one contract."""
        if contract.__name__ in self._own:
            return
        entry = self._chosen(contract, asker, module)
        _no_circle(entry.key, path, entry.where)
        if isinstance(entry.bound, Over):
            read_contract(contract, entry.where)
            return
        if entry.bound.recorded is not None:
            read_contract(contract, entry.where)
        if is_replayed(entry.bound):
            return
        kind = _import(entry.bound.use, entry.where)
        contracts = _contracts(kind)
        for inner in contracts.values():
            self.check_contract(inner, contract.__name__, entry.module, (*path, entry.key))
        _bind(kind, {**contracts, **entry.bound.options}, entry.where)
        _fulfils(kind, contract, entry.where)

    def bound(self, systems: Iterable[SystemType]) -> tuple[Provider, ...]:
        """What is bound to each contract that systems need, and to those that these need in turn; none of it
        is made. Raises :class:`Misdeclared` as :meth:`check` does."""
        systems = tuple(systems)
        self.check(systems)
        found: dict[str, Provider] = {}
        for contract, entry in self._used(systems):
            name = contract.__name__
            if entry is None:
                found[name] = Provider(name, OWN)
            elif isinstance(entry.bound, Over):
                found[entry.key] = self._asked(contract, entry, entry.bound)
            else:
                found[entry.key] = _here(name, entry, entry.bound)
        return tuple(found.values())

    def over(self, systems: Iterable[SystemType]) -> Mapping[str, tuple[ContractType, Over]]:
        """The contracts that systems, or what they need, ask for over NATS, by what begins their subjects.

        Raises :class:`Misdeclared` where two entries say different things of one binding.
        """
        found: dict[str, tuple[ContractType, Over]] = {}
        said: dict[str, Entry] = {}
        for contract, entry in self._used(systems):
            if entry is None or not isinstance(entry.bound, Over):
                continue
            kind = read_contract(contract, entry.where)
            subject = kind.subject(entry.bound.binding)
            other = said.setdefault(subject, entry)
            if other.bound != entry.bound:
                raise Misdeclared(f"{entry.where}: {other.key} says other limits of the same binding")
            found[subject] = kind, entry.bound
        return found

    def contract(self, name: str, systems: Iterable[SystemType]) -> type[Any]:
        """The contract of that name which systems, or what they need, name; raises :class:`Misdeclared`."""
        known: dict[str, type[Any]] = {}
        for system in systems:
            left = list(system.needs.values())
            for contract in left:
                if contract.__name__ in known:
                    continue
                known[contract.__name__] = contract
                entry = self._entries.find(contract.__name__, system.owner)
                left += [] if entry is None else _needed(entry)
        if name not in known:
            raise Misdeclared(
                f"no system here needs {name}; they need {', '.join(sorted(known)) or 'nothing'}"
            )
        return known[name]

    def _used(self, systems: Iterable[SystemType]) -> Iterator[tuple[type[Any], Entry | None]]:
        """Each contract that systems and what they need name, with its entry; None for the leaf's own."""
        left: list[Need] = [(one, system.owner) for system in systems for one in system.needs.values()]
        seen: set[str] = set()
        for contract, module in left:
            entry = None if contract.__name__ in self._own else self._chosen(contract, "a system", module)
            key = contract.__name__ if entry is None else entry.key
            if key in seen:
                continue
            seen.add(key)
            yield contract, entry
            if entry is not None:
                left += [(inner, entry.module) for inner in _needed(entry)]

    def _asked(self, contract: type[Any], entry: Entry, over: Over) -> Provider:
        """What is asked over NATS, as the topology shows it: by its subject, and with what answers there."""
        made = Entries.of(self._entries.machine, over.binding).find(contract.__name__, None)
        by = (
            f"`cim provide` makes {made.bound.use}"
            if made is not None and isinstance(made.bound, Made)
            else ""
        )
        subject = read_contract(contract, entry.where).subject(over.binding)
        return Provider(contract.__name__, subject, by, (), entry.module)

    def _make(self, contract: type[Any], entry: Entry) -> Any:
        if isinstance(entry.bound, Over):
            return self._stand_in(contract, entry, entry.bound)
        recorded = entry.bound.recorded
        if recorded is not None and is_replayed(entry.bound):
            return Recorded(contract, recorded)
        kind = _import(entry.bound.use, entry.where)
        given = {**self._contracts_of(kind, entry), **entry.bound.options}
        made = _constructed(kind, given, entry.where)
        _fulfils(made, contract, entry.where)
        return made if recorded is None else Recorded(contract, recorded, made)

    def _stand_in(self, contract: type[Any], entry: Entry, over: Over) -> Any:
        if self._remote is None:
            raise Misdeclared(
                f"{entry.where}: a provider's process asks nobody over NATS: bind {contract.__name__} under "
                f"{self._entries.tables[0][0]}, too"
            )
        return self._remote(read_contract(contract, entry.where), over)

    def _chosen(self, contract: type[Any], asker: str, module: str | None) -> Entry:
        """The entry that binds something to a contract."""
        name = contract.__name__
        entry = self._entries.find(name, module)
        if entry is not None:
            return entry
        if name == Blobs.__name__:
            raise Misdeclared(
                f"{asker} needs {name}, and a provider's process has no way to the machine's contents: bind "
                f"it in process, under [providers], or hand it the content itself"
            )
        where = self._entries.place(name)
        raise Misdeclared(f'{asker} needs {name} and nothing is bound to it: add `{name} = "…:…"` to {where}')

    def _contracts_of(self, kind: type[Any], entry: Entry) -> dict[str, Any]:
        """The providers that another provider's constructor asks for by annotation."""
        _no_circle(entry.key, self._making, entry.where)
        self._making.append(entry.key)
        try:
            return {
                parameter: self.provider(contract, entry.key, entry.module)
                for parameter, contract in _contracts(kind).items()
            }
        finally:
            self._making.pop()


def is_replayed(made: Made) -> bool:
    """Whether its calls come from a file, so that the provider itself is not made."""
    return made.recorded is not None and not os.environ.get(RECORD)


def _needed(entry: Entry) -> Iterable[type[Any]]:
    """The contracts that what an entry makes asks for itself."""
    if isinstance(entry.bound, Over) or is_replayed(entry.bound):
        return ()
    return _contracts(_import(entry.bound.use, entry.where)).values()


def _here(contract: str, entry: Entry, made: Made) -> Provider:
    """What is made here, as the topology shows it."""
    if is_replayed(made):
        return Provider(contract, made.use, f"replayed from {made.recorded}", (), entry.module)
    kind = _import(made.use, entry.where)
    use = f"{kind.__module__}:{kind.__qualname__}"
    return Provider(contract, use, first_line(kind), tuple(_needed(entry)), entry.module)


def _contracts(kind: type[Any]) -> dict[str, type[Any]]:
    """The contracts that a provider's constructor asks for by annotation."""
    return {
        parameter: contract
        for parameter, contract in hints(kind.__init__).items()
        if isinstance(contract, type) and Capability in contract.__mro__
    }


def _no_circle(key: str, path: Sequence[str], where: str) -> None:
    if key in path:
        circle = " → ".join((*path[path.index(key) :], key))
        raise Misdeclared(f"{where}: providers need each other in a circle: {circle}")


def _fulfils(provider: Any, contract: type[Any], where: str) -> None:
    missing = [method for method in methods(contract) if not callable(getattr(provider, method, None))]
    if missing:
        name = provider.__name__ if isinstance(provider, type) else type(provider).__name__
        raise Misdeclared(f"{where}: {name} has no {missing[0]}, which the contract asks for")
    if isinstance(provider, type):
        _waits_alike(provider, contract, where)


def _waits_alike(kind: type[Any], contract: type[Any], where: str) -> None:
    """Refuse a method that is awaited here and not there: what it gives would be no result."""
    for method in methods(contract):
        asked, given = (inspect.iscoroutinefunction(getattr(one, method)) for one in (contract, kind))
        if asked != given:
            words = ("async", "plain") if asked else ("plain", "async")
            raise Misdeclared(
                f"{where}: {contract.__name__}.{method} is {words[0]} and {kind.__name__}.{method} is "
                f"{words[1]}: both are `async def`, or neither"
            )


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
