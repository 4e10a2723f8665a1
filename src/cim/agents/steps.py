"""What the log keeps of an agent's runs: one commit a step, on a subject of the run's own.

A run is the run of its system, and has its id: ``evt.documents.judge.<run>``. Its first commit says who
thinks about what; each further one is a step that was finished, a request to the model or one use of a tool.
What a run found out stands where any system's does, under the same id: no second word says how it ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from cim.contract import codec
from cim.contract.envelope import Commit

MODEL = "model"
"""What a step that asked the model is named, where one that used a tool has that tool's name."""

PREFIX = "cim."

UNREAD = "[sealed]"
"""What a text of a step reads as that is sealed with a key which is not here."""


@dataclass(frozen=True, slots=True)
class Began:
    """A run began: of which version of which agent, ``on`` which entity (the subject of its events), and what
    it thinks with. ``given`` is what it was given, by parameter, as JSON text, which may be sealed: with the
    steps it is all that a replay needs. ``prompt`` is the number of the entry that says what it is told to
    be, 0 where its code does."""

    system: str
    version: str
    on: str
    model: str
    given: str
    prompt: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a run that was finished.

    ``think`` counts the uses of the agent's :class:`cim.domain.agent.Think` from 0, ``number`` the steps of
    each. ``asked`` is what came to be asked in this step and ``said`` what came back, both as JSON text,
    which may be sealed; ``digest`` is that of everything that was asked. ``took`` is milliseconds.
    """

    think: int
    number: int
    what: str
    digest: str
    asked: str
    said: str
    tokens_in: int = 0
    tokens_out: int = 0
    took: float = 0.0


Said: TypeAlias = Began | Step

_KINDS: dict[str, type[Began] | type[Step]] = {f"{PREFIX}{kind.__name__}": kind for kind in (Began, Step)}


SEALABLE: Mapping[type[Said], tuple[str, ...]] = {Began: ("given",), Step: ("asked", "said")}
"""The texts that may speak of persons."""


def item_of(said: Said) -> codec.Item:
    """One of these records as the item of a body."""
    found = codec.item(said)
    return codec.Item(f"{PREFIX}{found.type}", found.version, found.data)


def read_said(commit: Commit, body: bytes) -> Said:
    """What a run's commit says, from its body with plain values; what is sealed there still reads as
    :data:`UNREAD`. Raises :class:`codec.BadBody`."""
    items = codec.decode(body)
    if len(items) != 1 or items[0].type not in _KINDS or not isinstance(items[0].data, dict):
        raise codec.BadBody(f"sequence {commit.sequence}: a run's commit says that it began, or one step")
    data = {name: UNREAD if isinstance(value, dict) else value for name, value in items[0].data.items()}
    return codec.typed(data, _KINDS[items[0].type])
