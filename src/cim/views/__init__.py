"""Live pages declared in Python: elements over symbolic values, live queries, the page.

What the author of a view needs is here.
"""

from cim.views.elements import (
    Element,
    Repeat,
    When,
    blob_url,
    clock,
    day,
    duration,
    each,
    entity_url,
    excerpt,
    h,
    magnitude,
    percent,
    plain,
    present,
    when,
)
from cim.views.symbols import Other, Row, Step

__all__ = [
    "Element",
    "Other",
    "Repeat",
    "Row",
    "Step",
    "When",
    "blob_url",
    "clock",
    "day",
    "duration",
    "each",
    "entity_url",
    "excerpt",
    "h",
    "magnitude",
    "percent",
    "plain",
    "present",
    "when",
]
