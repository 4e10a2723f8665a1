"""Where systems run, and what comes of it. A leaf runs them in :mod:`cim.leaf.workers`."""

from collections.abc import Mapping
from typing import Any, Protocol

from cim.contract import codec
from cim.contract.expiry import check_end
from cim.contract.system import SystemType
from cim.domain.component import Component
from cim.domain.errors import CimError
from cim.log.asking import Proposed
from cim.world.due import Call

LONGEST_CAUSE = 500
"""Characters of a failure's cause that are kept."""


class Place(Protocol):
    """A run's place among those that are made at once."""

    def is_wanted(self) -> bool:
        """Whether a run of another entity waits for it."""
        ...

    def leave(self) -> None:
        """Give it to another: the run has stepped aside."""
        ...


class Asks(Exception):
    """A run wants to do what a person is asked about first: it is made again once there is an answer."""

    def __init__(self, proposed: Proposed) -> None:
        super().__init__(f"it asks a person: {proposed.tool}")
        self.proposed = proposed


class Halted(Exception):
    """A run ended where it was, since its system may not work now: it is made when that may."""


class Runner(Protocol):
    """Makes one run of a system."""

    async def run(self, system: SystemType, given: Mapping[str, Any], place: Place, call: Call) -> Any:
        """What the system returns for the values that the world gives it; raises what it raises.

        ``call`` is the run that is made, under whose id an agent's steps stand in the log. Raises
        :class:`Asks` where that waits for a person, :class:`Halted` where its system may work no more.
        A run that takes long leaves its ``place`` when that is wanted, and goes on beside those at work.
        """
        ...


def checked(system: SystemType, output: Any) -> tuple[Component | None, ...]:
    """What a run returned, held against its signature, and readable once it is written; raises
    :class:`CimError`."""
    outputs: tuple[Any, ...] = output if isinstance(output, tuple) else (output,)
    if len(outputs) != len(system.returns) or any(
        type(found) not in kinds for found, kinds in zip(outputs, system.returns, strict=True)
    ):
        said = ", ".join("|".join(kind.__name__ for kind in kinds) for kinds in system.returns)
        came = ", ".join(type(found).__name__ for found in outputs) or "nothing"
        raise CimError(f"{system} returned {came}, its signature says {said}")
    for found in outputs:
        if found is not None:
            codec.check(found)
            check_end(found)
    return outputs


def cause_of(error: Exception) -> str:
    """Why a run failed, in words that are not too many."""
    text = str(error) if isinstance(error, CimError) else f"{type(error).__name__}: {error}"
    # A file name that is no text comes with surrogates, which no body can hold.
    return cut(text.encode(errors="replace").decode())


def cut(text: str) -> str:
    """A cause without what is too long of it."""
    return text if len(text) <= LONGEST_CAUSE else text[: LONGEST_CAUSE - 1] + "…"
