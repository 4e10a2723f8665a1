"""What ``machine.toml`` binds to contracts: the entries of ``[providers]`` and ``[provided.BINDING]``.

An entry is made here, ``Ocr = "package.module:Class"`` (or a table with ``use`` and the options of its
constructor), or asked over NATS, ``Ocr = { over = "nats", binding = "fast" }``. A name with a module before
it, ``"documents.Ocr"``, is for the systems of that module and beats the bare one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from cim.capabilities.terms import Over
from cim.contract.subjects import BadToken, token
from cim.domain.errors import Misdeclared
from cim.leaf.machine import FILE, Machine

PROVIDERS = "[providers]"
NATS = "nats"
LONGEST = 3600.0
"""Seconds that a call over NATS may take at the most."""


@dataclass(frozen=True, slots=True)
class Made:
    """A provider that is made where it is needed: its class by name, the options of its constructor, and the
    file from which its calls are replayed, if there is one."""

    use: str
    options: Mapping[str, Any]
    recorded: Path | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its name as it stands in the file, where that is, and what it binds."""

    key: str
    where: str
    bound: Made | Over

    @property
    def module(self) -> str | None:
        """The module that it is for; None where it is for all."""
        return self.key.rpartition(".")[0] or None


@dataclass(frozen=True, slots=True)
class Entries:
    """All entries that one process looks into: those of ``[provided.BINDING]`` first, where it provides."""

    machine: Machine
    tables: tuple[tuple[str, Mapping[str, Entry]], ...] = field(default=())

    @classmethod
    def of(cls, machine: Machine, provided: str | None = None) -> "Entries":
        """The entries of a machine's file; raises :class:`Misdeclared` naming the one that cannot be."""
        tables = [(PROVIDERS, machine.providers)]
        if provided is not None:
            tables.insert(0, (heading(provided), machine.provided.get(provided, {})))
        read = tuple((name, _read(machine, name, table)) for name, table in tables)
        return cls(machine, read)

    def find(self, contract: str, module: str | None) -> Entry | None:
        """What is bound to a contract for a module's systems; None where nothing is."""
        for _, table in self.tables:
            for key in (f"{module}.{contract}", contract):
                if key in table:
                    return table[key]
        return None

    def place(self, contract: str) -> str:
        """Where an entry for a contract would stand."""
        return f"{self.machine.folder / FILE}: {self.tables[0][0]} {contract}"


def heading(binding: str) -> str:
    """The heading under which stands what a binding's providers are made of."""
    return f"[provided.{binding}]"


def _read(machine: Machine, name: str, table: Mapping[str, str | dict[str, Any]]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for key, written in table.items():
        where = f"{machine.folder / FILE}: {name} {key}"
        found[key] = Entry(key, where, _bound(machine, written, where))
    return found


def _bound(machine: Machine, written: str | dict[str, Any], where: str) -> Made | Over:
    if isinstance(written, str):
        return Made(written, {})
    options = dict(written)
    if "over" in options:
        return _over(options, machine.limits.seconds, where)
    if "use" not in options:
        name = next(iter(options), "Contract")
        raise Misdeclared(
            f'{where}: it says neither `use = "package.module:Class"` nor `over = "nats"`; an entry for one '
            f'module stands in quotes: "{where.rpartition(" ")[2]}.{name}" = …'
        )
    recorded = options.pop("recorded", None)
    return Made(
        str(options.pop("use")), options, None if recorded is None else machine.folder / str(recorded)
    )


def _over(options: dict[str, Any], seconds: float, where: str) -> Over:
    way = options.pop("over")
    unknown = sorted(set(options) - set(Over.__dataclass_fields__))
    if way != NATS or unknown:
        what = f"over = {way!r}" if way != NATS else unknown[0]
        known = ", ".join(Over.__dataclass_fields__)
        raise Misdeclared(f'{where}: there is no {what}: write over = "nats" with {known}')
    try:
        over = msgspec.convert({"seconds": seconds} | options, Over)
        token(over.binding, "binding")
    except (msgspec.ValidationError, BadToken) as error:
        raise Misdeclared(f"{where}: {error}") from error
    if (
        not 0 < over.seconds <= LONGEST
        or over.at_once < 1
        or over.failures < 1
        or over.rest <= 0
        or over.instances < 0
    ):
        raise Misdeclared(
            f"{where}: seconds is over 0 and {LONGEST:g} at most, at_once and failures are 1 or more, "
            f"rest is over 0, instances is 0 or more"
        )
    return over
