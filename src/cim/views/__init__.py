"""Live pages declared in Python: elements over symbolic values, live queries, the page.

What the author of a view needs is here.
"""

from cim.views.elements import (
    Element,
    Form,
    Repeat,
    When,
    area,
    blob_url,
    clock,
    day,
    duration,
    each,
    entity_url,
    excerpt,
    form,
    h,
    magnitude,
    maybe,
    percent,
    plain,
    present,
    when,
)
from cim.views.symbols import Correction, Other, Row, Step

__all__ = [
    "Correction",
    "Element",
    "Form",
    "Other",
    "Repeat",
    "Row",
    "Step",
    "When",
    "area",
    "blob_url",
    "clock",
    "day",
    "duration",
    "each",
    "entity_url",
    "excerpt",
    "form",
    "h",
    "magnitude",
    "maybe",
    "percent",
    "plain",
    "present",
    "when",
]
