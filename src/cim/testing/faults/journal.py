"""What a sender asked and heard, a line each, so that a killed sender's word still counts."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

Line = dict[str, Any]


class Journal:
    """A file of lines that a process appends to; the kernel keeps what a killed one wrote."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def write(self, **line: Any) -> None:
        """Add a line."""
        self._file.write(msgspec.json.encode(line) + b"\n")


@dataclass
class Journals:
    """All journals of a folder, read while they grow. ``counted`` counts lines by what they say."""

    folder: Path
    counted: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    _read: dict[Path, int] = field(default_factory=dict)

    @property
    def acknowledged(self) -> int:
        """How many receipts were given."""
        return self.counted["receipt"]

    def look(self) -> None:
        """Take in what was written since the last look."""
        for path in sorted(self.folder.glob("*.journal")):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                data = file.read()
            whole = data.rfind(b"\n") + 1
            self._read[path] = self._read.get(path, 0) + whole
            for line in data[:whole].splitlines():
                said = msgspec.json.decode(line, type=Line)
                self.counted[said["is"]] += 1
                if said["is"] == "error":
                    self.troubles.append(f"{said['id']} ended with: {said['text']}")

    def lines(self) -> Iterator[Line]:
        """Everything that was written, from the beginning; a line that a kill cut off is none."""
        for path in sorted(self.folder.glob("*.journal")):
            for line in path.read_bytes().split(b"\n")[:-1]:
                yield msgspec.json.decode(line, type=Line)
