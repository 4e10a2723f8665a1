"""An agent: a system that reasons, within what it may spend and what it may do."""

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from cim.domain.record import Record

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Budget:
    """What one run of an agent may spend: ``requests`` to its model, ``tokens`` that go there and come back
    together, and ``calls`` of its tools; None is no limit of that kind."""

    requests: int = 10
    tokens: int | None = None
    calls: int | None = 10


@dataclass(frozen=True, slots=True)
class Ask:
    """A grant of a command under a condition: a person is asked each time."""

    tool: Any


@dataclass(frozen=True, slots=True)
class Allow:
    """A grant without one: nobody is asked, even where the agent reads what came from outside."""

    tool: Any


class Think(Protocol[T_co]):
    """What an agent thinks with: ``think: Think[Kind]`` is told something, and answers with a ``Kind``.

    The answer is a record, a tuple of records (``Think[tuple[Kind, Mood | None]]``), or text
    (``Think[str]``). Which model thinks is said in ``machine.toml`` and nowhere else.
    """

    async def __call__(self, *told: str | Record) -> T_co:
        """What the model comes to, by text and by records that it is told, in this order.

        Each request to the model and each use of a tool is a step that is written down. A run that is made
        again after a crash is given what it has got already; so what is told must follow from the inputs
        alone: no clock, no chance. Raises :class:`cim.domain.errors.Failure` where the model gives no answer
        of that shape, or the budget is used up.
        """
        ...
