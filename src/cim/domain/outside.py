"""What came from outside: text that somebody wrote whom nobody here vouches for."""

from dataclasses import dataclass
from typing import Annotated, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OutsideMark:
    """Says that a field's value came from outside."""


Outside = Annotated[T, OutsideMark()]
"""A field whose value came from outside: ``body: Outside[str]`` of a letter, a scan, a page, a mail.

It may say whatever its writer wants a reader to do. An agent that reads it asks a person before it uses a
command, unless the grant says otherwise: see :class:`cim.domain.agent.Allow`.
"""
