"""A machine as its folder says: ``machine.toml`` and a folder a module."""

import importlib
import importlib.util
import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import msgspec

from cim.agents.spending import Daily
from cim.contract.composition import Composition
from cim.domain.context import Context
from cim.domain.errors import Misdeclared
from cim.leaf.hosts import Host, read_hosts
from cim.world.allowance import Limit
from cim.world.tries import TRIES

FILE = "machine.toml"
STATE_FOLDER = ".cim"
PAGE_PORT = 8600
LONGEST_QUERY = 600.0
_DATABASES = ("postgresql://", "postgres://")

# It stands in the envelope's headers, where blanks at the ends and line breaks do not survive.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run of a system may take: ``seconds`` a step (a provider's call, or the module's own code
    between two), and ``memory_mb`` megabytes of data in its process. ``query_seconds`` is what the answer to
    one query may take. ``tries`` are made of a run that finds away what it needs. ``thinking_seconds`` is
    what an agent's model may take for one answer. ``waiting`` is how many runs of async systems, agents among
    them, are made at once in a process, beside the ``workers`` for what computes."""

    seconds: float = 60.0
    memory_mb: int = 2048
    query_seconds: float = 5.0
    tries: int = TRIES
    thinking_seconds: float = 120.0
    waiting: int = 8


@dataclass(frozen=True, slots=True)
class Projections:
    """Where rows are kept: ``store`` is the URL of a PostgreSQL database, or empty for files beside the
    leaf. A password belongs into PostgreSQL's own file for it (``~/.pgpass``), not here."""

    store: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """``machine.toml``: the machine's name, its modules, its providers by contract, its limits.

    ``providers`` maps a contract's class name to what is bound to it, and ``provided`` the name of a binding
    to what its providers are made of: see :mod:`cim.leaf.bound`. ``workers`` is how many systems run at once;
    0 means one a core. ``port`` is the page's; where it is taken, the next free one.
    ``hosts`` are those of a cluster, ``here`` is this one; without them all of it is on one host.
    ``systems`` are the limits of systems by their full names, in each process that runs them. ``agents`` says
    with which model each of them thinks: see :mod:`cim.leaf.models`;
    ``budgets`` are what they may spend in a day, by full names.
    """

    name: str
    modules: tuple[str, ...]
    providers: Mapping[str, str | dict[str, Any]] = field(default_factory=dict)
    durability: str = "dev"
    workers: int = 0
    port: int = PAGE_PORT
    limits: Limits = field(default_factory=Limits)
    folder: Path = Path()
    projections: Projections = field(default_factory=Projections)
    hosts: tuple[Host, ...] = ()
    here: Host | None = None
    provided: Mapping[str, Mapping[str, str | dict[str, Any]]] = field(default_factory=dict)
    systems: Mapping[str, Limit] = field(default_factory=dict)
    agents: Mapping[str, str | dict[str, Any]] = field(default_factory=dict)
    budgets: Mapping[str, Daily] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        """The leaf's own folder in the machine's."""
        return self.folder / STATE_FOLDER

    @property
    def source(self) -> str:
        """How the machine names itself in an envelope."""
        return f"cim:{self.name}"


@dataclass(frozen=True)
class _Written:
    """The fields that may stand in the file."""

    name: str
    modules: tuple[str, ...]
    providers: dict[str, str | dict[str, Any]] = field(default_factory=dict)
    durability: str = "dev"
    workers: int = 0
    port: int = PAGE_PORT
    limits: Limits = field(default_factory=Limits)
    projections: Projections = field(default_factory=Projections)
    cluster: dict[str, str] = field(default_factory=dict)
    provided: dict[str, dict[str, str | dict[str, Any]]] = field(default_factory=dict)
    systems: dict[str, Limit] = field(default_factory=dict)
    agents: dict[str, str | dict[str, Any]] = field(default_factory=dict)
    budgets: dict[str, Daily] = field(default_factory=dict)


def load_machine(folder: Path) -> Machine:
    """The machine in a folder; raises :class:`Misdeclared` naming the file and what is wrong in it."""
    path = folder / FILE
    try:
        data = tomllib.loads(path.read_text())
        _refuse_unknown(data, _Written, f"{path}:")
        written = msgspec.convert(data, _Written)
        for name in ("limits", "projections"):
            _refuse_unknown(data.get(name, {}), type(getattr(written, name)), f"{path}: [{name}]")
        for system, limit in data.get("systems", {}).items():
            _refuse_unknown(limit, Limit, f'{path}: [systems."{system}"]')
        for agent, budget in data.get("budgets", {}).items():
            _refuse_unknown(budget, Daily, f'{path}: [budgets."{agent}"]')
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Misdeclared(
            f"{folder} is no machine: it has no {FILE}. Name one with --machine or CIM_MACHINE"
        ) from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError, OSError) as error:
        raise Misdeclared(f"{path}: {error}") from error
    _check(written, path)
    hosts = _hosts(written, path)
    return Machine(
        written.name,
        written.modules,
        written.providers,
        written.durability,
        written.workers,
        written.port,
        written.limits,
        folder.resolve(),
        written.projections,
        hosts,
        provided=written.provided,
        systems=written.systems,
        agents=written.agents,
        budgets=written.budgets,
    )


def _refuse_unknown(data: Mapping[str, Any], kind: type[Any], where: str) -> None:
    unknown = sorted(set(data) - {field.name for field in fields(kind)})
    if unknown:
        raise Misdeclared(f"{where} there is no setting {unknown[0]!r}")


def _hosts(written: _Written, path: Path) -> tuple[Host, ...]:
    if written.cluster and written.durability != "ha":
        raise Misdeclared(f'{path}: [cluster] needs durability = "ha": a copy of everything at each host')
    try:
        return read_hosts(written.cluster)
    except Misdeclared as error:
        raise Misdeclared(f"{path}: {error}") from error


def _check(written: _Written, path: Path) -> None:
    if not _NAME.fullmatch(written.name):
        raise Misdeclared(f"{path}: name {written.name!r} must be 1 to 64 of A-Z a-z 0-9 _ . -")
    if written.durability not in ("dev", "durable", "ha"):
        raise Misdeclared(f'{path}: durability is "dev", "durable" or "ha", not {written.durability!r}')
    if written.limits.seconds <= 0 or written.limits.memory_mb < 256:
        raise Misdeclared(f"{path}: [limits] seconds must be over 0 and memory_mb 256 or more")
    if not 0 < written.limits.query_seconds <= LONGEST_QUERY:
        raise Misdeclared(f"{path}: [limits] query_seconds must be over 0 and {LONGEST_QUERY:g} at most")
    if written.limits.waiting < 1:
        raise Misdeclared(f"{path}: [limits] waiting is {written.limits.waiting}: 1 or more")
    if written.limits.thinking_seconds <= 0:
        raise Misdeclared(f"{path}: [limits] thinking_seconds must be over 0")
    if written.limits.tries < 1:
        raise Misdeclared(f"{path}: [limits] tries is {written.limits.tries}: 1 or more")
    for system, limit in written.systems.items():
        if limit.at_once is not None and limit.at_once < 1:
            raise Misdeclared(f'{path}: [systems."{system}"] at_once is {limit.at_once}: 1 or more')
        if limit.per_second is not None and limit.per_second <= 0:
            raise Misdeclared(f'{path}: [systems."{system}"] per_second is {limit.per_second:g}: over 0')
    for agent, budget in written.budgets.items():
        for name in ("requests", "tokens"):
            if (getattr(budget, name) or 0) < 0:
                raise Misdeclared(f'{path}: [budgets."{agent}"] {name} is under 0: 0 or more a day')
    if written.projections.store and not written.projections.store.startswith(_DATABASES):
        raise Misdeclared(f'{path}: [projections] store is "postgresql://…", or left out for files')
    if written.workers < 0:
        raise Misdeclared(f"{path}: workers is {written.workers}: 0 means one a core, more is their number")
    if not 0 <= written.port <= 65535:
        raise Misdeclared(f"{path}: port is {written.port}: a port is 0 (any free one) to 65535")


def check_limits(machine: Machine, composition: Composition, tell: Callable[[str], None]) -> None:
    """Hold that each system that ``[systems]`` limits is one; raises :class:`Misdeclared` by name.

    Of a module that is not here (it may run in another process, or come later) that is only told.
    """
    contexts = {context.name for context in composition.contexts}
    names = {str(system) for system in composition.systems}
    for name in sorted(machine.systems.keys() - names):
        owner = name.rpartition(".")[0]
        where = f'{machine.folder / FILE}: [systems."{name}"]'
        if owner in contexts:
            there = ", ".join(sorted(one for one in names if one.startswith(f"{owner}."))) or "none"
            raise Misdeclared(f"{where}: there is no such system; of {owner} there are: {there}")
        tell(f"{where} limits a system of a module that is not here")


def load_contexts(machine: Machine, names: Iterable[str], *, views: bool = False) -> list[Context]:
    """The contexts of modules, each named as in the machine's folder, as an importable name, or by path.

    With ``views`` a module's ``views`` is imported, too, so that its context knows them.
    """
    return [_load_context(machine, name, views) for name in names]


def _load_context(machine: Machine, name: str, views: bool) -> Context:
    root = machine.folder
    # A plain name is never a path: where the command stands must not decide what a machine is made of.
    if os.sep in name or name.endswith(".py"):
        root, name = Path(name).resolve().parent, Path(name).resolve().stem
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        module = importlib.import_module(name)
        if views and hasattr(module, "__path__") and importlib.util.find_spec(f"{name}.views") is not None:
            importlib.import_module(f"{name}.views")
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise Misdeclared(f"module {name} needs {error.name}, which is not installed") from error
        raise Misdeclared(f"module {name} is neither in {root} nor installed") from error
    wanted = name.rpartition(".")[2]
    for value in vars(module).values():
        if isinstance(value, Context) and value.name == wanted:
            return value
    raise Misdeclared(
        f"module {name} declares no Context({wanted!r}): a module speaks for the context of its name"
    )
