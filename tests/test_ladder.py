"""Imports run down the ladder of the design, and the core stays light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cim

SOURCE = Path(cim.__file__).parent

DOMAIN = frozenset({"domain"})
CONTRACT = DOMAIN | {"contract"}
PORTS = CONTRACT | {"ports"}
LOG = PORTS | {"log"}
ACTORS = LOG | {"actors"}
WORLD = ACTORS | {"world", "projections", "processes"}
VIEWS = WORLD | {"views", "agents"}
DOORS = VIEWS | {"doors"}
CAPABILITIES = PORTS | {"log", "capabilities", "adapters"}
LEAF = DOORS | {"leaf", "capabilities", "adapters", "providers"}

LADDER = {
    "__init__": DOMAIN,
    "__main__": frozenset({"cli"}),
    "domain": DOMAIN,
    "contract": CONTRACT,
    "ports": PORTS,
    "log": LOG,
    "actors": ACTORS,
    **dict.fromkeys(("world", "projections", "processes"), WORLD),
    **dict.fromkeys(("views", "agents"), VIEWS),
    "doors": DOORS,
    "capabilities": CAPABILITIES,
    "leaf": LEAF,
    "cli": LEAF | {"cli"},
    **dict.fromkeys(("adapters", "providers"), PORTS),
    "testing": LEAF | {"testing"},
}
"""What each room may import, itself included except where ``SELF`` adds it."""

SELF = frozenset({"adapters", "providers"})

EXCEPTIONS = {
    "cim.doors.repeating": "adapters",  # the door's other side: it asks over the same NATS link
    "cim.doors.serving": "adapters",  # and this one: it answers over it
    "cim.doors.watcher": "adapters",  # and who hears what a door tells by and by
    "cim.cli.demo": "testing",  # the papers of the demo are the ones that the tests draw
}

HEAVY = ("numpy", "onnxruntime", "nats", "starlette", "rich", "msgspec", "uvicorn", "PIL", "asyncio")


def module_of(path: Path, root: Path) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Every module that a file imports, wherever in it the import stands: its line and full name."""
    package = module_of(path, root).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            # `from cim import cli` names a room by its alias.
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def room_of(name: str, root: Path) -> str | None:
    """The room that a module is in; the package itself hands out the words of the domain."""
    parts = name.split(".")
    if parts[0] != "cim":
        return None
    rooms = {path.stem if path.suffix == ".py" else path.name for path in root.iterdir()}
    return parts[1] if len(parts) > 1 and parts[1] in rooms else "domain"


def violations(root: Path) -> list[str]:
    found = []
    for path in sorted(root.rglob("*.py")):
        module = module_of(path, root)
        own = module.split(".")[1] if "." in module else "__init__"
        if own not in LADDER:
            found.append(f"{module}: {own} is no room of the ladder")
            continue
        allowed = LADDER[own] | ({own} & SELF) | {EXCEPTIONS.get(module, own)} - {"__init__", "__main__"}
        for line, name in imported(path, root):
            room = room_of(name, root)
            if room is not None and room not in allowed:
                found.append(f"{module}:{line} imports {name}")
            if own == "domain" and room is None and name.split(".")[0] not in sys.stdlib_module_names:
                found.append(f"{module}:{line} imports {name}, which is not in the standard library")
    return found


def test_imports_run_down_the_ladder() -> None:
    assert violations(SOURCE) == []


def test_each_exception_is_still_needed() -> None:
    for module, room in EXCEPTIONS.items():
        path = SOURCE.parent / Path(*module.split(".")).with_suffix(".py")
        assert room in {room_of(name, SOURCE) for _, name in imported(path, SOURCE)}


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("log/new.py", "from cim.world.world import World", "cim.log.new:1 imports cim.world.world.World"),
        ("log/new.py", "import cim.actors.actor as a", "cim.log.new:1 imports cim.actors.actor"),
        ("log/new.py", "from ..doors import page", "cim.log.new:1 imports cim.doors.page"),
        ("log/__init__.py", "from ..cli import main", "cim.log:1 imports cim.cli.main"),
        ("log/new.py", "from cim import cli", "cim.log.new:1 imports cim.cli"),
        ("log/new.py", "def f():\n    import cim.leaf", "cim.log.new:2 imports cim.leaf"),
        ("adapters/x/y.py", "from cim.log.backoff import delays", "imports cim.log.backoff.delays"),
        ("providers/x.py", "from cim.adapters import memory", "cim.providers.x:1 imports cim.adapters"),
        ("testing/x.py", "import cim.cli.send", "cim.testing.x:1 imports cim.cli.send"),
        ("contract/x.py", "from cim.ports.log import Log", "cim.contract.x:1 imports cim.ports.log.Log"),
        ("domain/x.py", "import msgspec", "msgspec, which is not in the standard library"),
        ("__init__.py", "from cim.contract import codec", "cim:1 imports cim.contract.codec"),
        ("__main__.py", "import cim.leaf.compose", "cim.__main__:1 imports cim.leaf.compose"),
        ("helpers.py", "", "cim.helpers: helpers is no room of the ladder"),
    ],
)
def test_an_import_up_the_ladder_is_found(tmp_path: Path, file: str, text: str, said: str) -> None:
    root = tmp_path / "cim"
    for room in ("domain", "contract", "ports", "log", "actors", "world", "doors", "leaf", "cli", "adapters"):
        (root / room).mkdir(parents=True)
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    found = violations(root)
    assert len(found) == 1
    assert said in found[0]


def test_the_words_and_the_help_need_nothing_heavy() -> None:
    look = f"import sys, cim, cim.cli; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    child = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert child.stdout.split() == []


def test_the_domain_runs_without_any_package_installed() -> None:
    look = "import cim, cim.domain.query, cim.domain.context; print(cim.Failed('s', 'c').cause)"
    # -S leaves out site-packages, -I whatever the environment adds.
    child = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({str(SOURCE.parent)!r}); {look}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert child.stdout == "c\n"
