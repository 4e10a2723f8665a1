"""The dated tables of docs/benchmarks.md: each bench owns one section, made by its command."""

import os
import platform
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def conditions() -> str:
    """When, and on what."""
    cores, load = os.cpu_count(), os.getloadavg()[0]
    python = platform.python_version()
    return f"{datetime.now(UTC):%Y-%m-%d}, CPython {python}, {cores} shared cores, load {load:.1f} at the end"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first stand right."""
    head = f"| {' | '.join(columns)} |"
    rule = f"| --- |{' ---: |' * (len(columns) - 1)}"
    return "\n".join([head, rule, *(f"| {' | '.join(row)} |" for row in rows)])


def write_section(title: str, command: str, notes: str, body: str) -> None:
    """Put a section into the page, in place of the one of the same title."""
    section = f"## {title}\n\n`{command}` ({conditions()})\n\n{notes}\n\n{body}\n"
    text = PAGE.read_text() if PAGE.exists() else HEAD
    found = re.search(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    if found:
        text = f"{text[: found.start()]}{section}\n{text[found.end() :]}"
    else:
        text = f"{text.rstrip()}\n\n{section}"
    PAGE.write_text(f"{text.rstrip()}\n")


HEAD = """# Benchmarks

Each table was written by the command that stands above it. The machines are small and noisy: trust the ratios
and the processor times, and measure anew before you build on a wall-clock figure.
"""
