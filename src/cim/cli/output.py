"""What commands print: data on standard output, news and progress on standard error."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

news = Console(stderr=True, highlight=False)


def tell(text: str) -> None:
    """Say something that happened to whoever watches; in a file it is one line, which can be searched."""
    news.print(text, style="dim", markup=False, soft_wrap=not news.is_terminal)


def print_json(data: Any) -> None:
    """One line of JSON on standard output."""
    sys.stdout.write(msgspec.json.encode(data).decode() + "\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table for a person: the first column is kept whole, and every line where it goes to a file."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(_escaped(cell) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = console.measure(table, options=console.options.update(width=100_000)).maximum
    console.print(table)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape("".join(letter if letter.isprintable() else " " for letter in text))


def progress() -> Progress:
    """A progress bar on standard error: silent where that is no terminal but for its last state. What is
    printed meanwhile stands above it, unless it goes elsewhere."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=news,
        transient=False,
        redirect_stdout=sys.stdout.isatty(),
    )
