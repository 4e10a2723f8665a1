"""A case that is missing is found by a type checker before anything runs."""

import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
from collections.abc import Iterable
from typing import assert_never

from cim import Command, Context, Event, State

shop = Context("shop")


class Open(Command):
    order: str


class Close(Command):
    order: str


class Opened(Event):
    order: str


class Closed(Event):
    order: str


@shop.entity(key="order")
class Order(State):
    is_open: bool = False

    def decide(self, command: Open | Close) -> Iterable[Opened | Closed]:
        match command:
            case Open(order):
                return [Opened(order)]
            case Close(order):
                return [Closed(order)]
            case _:
                assert_never(command)

    def evolve(self, event: Opened | Closed) -> "Order":
        match event:
            case Opened():
                return self.but(is_open=True)
            case Closed():
                return self.but(is_open=False)
            case _:
                assert_never(event)
"""
CASE = """            case Close(order):
                return [Closed(order)]
"""
EVENT = """            case Closed():
                return self.but(is_open=False)
"""


@pytest.mark.parametrize(
    ("without", "said"),
    [
        ("", "Success: no issues found"),
        (CASE, 'Argument 1 to "assert_never" has incompatible type "Close"'),
        (EVENT, 'Argument 1 to "assert_never" has incompatible type "Closed"'),
    ],
    ids=["none", "of decide", "of evolve"],
)
def test_a_missing_case_is_a_type_error(tmp_path: Path, without: str, said: str) -> None:
    assert without in MODULE
    (tmp_path / "shop.py").write_text(MODULE.replace(without, "", 1))
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file=", "shop.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert said in found.stdout, found.stdout + found.stderr
