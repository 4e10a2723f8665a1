"""Components that end by themselves."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated


@dataclass(frozen=True, slots=True)
class ExpiryMark:
    """Says that a field holds the end of its component."""


Expires = Annotated[datetime | None, ExpiryMark()]
"""When the component ends, with a time zone; None for never: ``until: Expires = None``.

When that time has passed by the machine's clock, the machine takes the component away: an entry of the log.
"""
