"""Help: quick, and from nothing but the standard library."""

import resource
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version

import pytest

from cim.cli import COMMANDS

HEAVY = {"msgspec", "nats", "numpy", "rich", "starlette", "uvicorn", "onnxruntime", "PIL"}


def cim(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "importtime", "-m", "cim", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def imported(done: subprocess.CompletedProcess[str]) -> set[str]:
    """The packages that a run under -X importtime imported."""
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_is_there_and_imports_nothing_heavy(
    arguments: list[str], record_property: Callable[[str, object], None]
) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = cim(*arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    record_property("processor_ms", round(spent * 1000))
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: cim {arguments[0] if arguments[0] != '--help' else '[-h]'}")
    assert "argparse" in imported(done)
    assert imported(done) & HEAVY == set()


def test_help_names_every_command_with_what_it_does() -> None:
    out = " ".join(cim("--help").stdout.split())
    for name, text in COMMANDS.items():
        assert f"{name} {text}" in out


def test_the_version_is_told() -> None:
    assert cim("--version").stdout == f"cim {version('composable-information-machine')}\n"


@pytest.mark.parametrize("arguments", [[], ["reed"], ["show"], ["log", "--nope"]])
def test_words_that_make_no_command_end_with_usage(arguments: list[str]) -> None:
    done = cim(*arguments)
    assert done.returncode == 2
    assert "usage: cim" in done.stderr
