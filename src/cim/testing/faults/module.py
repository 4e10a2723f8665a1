"""The machine that the faults strike: jars and labels, with rows that count each event."""

from pathlib import Path

DECLARED = """name = "faults"
modules = ["jars", "labels"]
durability = "{durability}"
workers = 2
port = 0
[limits]
seconds = 30
"""

JARS = '''"""Jars, with one row for each."""

from cim import Key, Row, Table
from cim.testing.jars import Added, Halved, Taken, jars


class Amount(Row):
    """What a jar holds, and how many events it has."""

    jar: Key[str]
    amount: int
    deeds: int


@jars.projection
def amounts(event: Added | Halved | Taken, rows: Table[Amount]) -> None:
    """Adding and halving do not commute, and each counts."""
    before = rows.get(event.jar) or Amount(event.jar, 0, 0)
    change = 0 if isinstance(event, Halved) else event.amount
    after = before.amount // 2 if isinstance(event, Halved) else before.amount + change
    after -= 2 * change if isinstance(event, Taken) else 0
    rows.put(Amount(event.jar, after, before.deeds + 1))
'''

LABELS = '''"""What another module writes on jars."""

from cim.testing.jars import labels

__all__ = ["labels"]
'''


def lay(folder: Path, durability: str) -> None:
    """Write the machine's files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "machine.toml").write_text(DECLARED.format(durability=durability))
    (folder / "jars.py").write_text(JARS)
    (folder / "labels.py").write_text(LABELS)
