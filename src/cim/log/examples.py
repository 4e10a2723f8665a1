"""Examples of words out of the log: what the newest event or component of each name says."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cim.contract import codec
from cim.contract.envelope import Commit
from cim.contract.stranger import Stranger
from cim.contract.subjects import BadToken, parse_stored
from cim.log.sealing import is_sealed

PERSONAL = "(personal)"
"""What stands in an example in the place of a personal value: an example goes anywhere."""


class Examples:
    """The newest of each, by the module that owns it and its name."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], Any] = {}

    def take(self, commit: Commit) -> None:
        """Know the next commit of the log; what nobody can read is no example."""
        if isinstance(commit, Stranger):
            return
        with suppress(BadToken, codec.BadBody):
            ref, owner = parse_stored(commit.subject)
            for item in codec.decode(commit.body):
                if item.data is not None:
                    self.found[owner or ref.context, item.type] = _shown(item.data)


def _shown(data: Any) -> Any:
    if is_sealed(data):
        return PERSONAL
    if isinstance(data, Mapping):
        return {name: _shown(value) for name, value in data.items()}
    return [_shown(one) for one in data] if isinstance(data, list) else data
