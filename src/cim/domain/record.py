"""The one base of all that a module declares: an immutable record made from its annotations."""

import dataclasses
from typing import Any, Self, dataclass_transform

FORMERLY = "__cim_formerly__"
"""Where a type keeps the shape that it had before: see :mod:`cim.domain.former`."""


@dataclass_transform(frozen_default=True)
class Record:
    """A frozen dataclass without the decorator: subclasses need only annotate their fields.

    Plain rather than slotted: ``slots=True`` makes a second class, which breaks ``super()`` and
    ``__init_subclass__``; the price is some hundred bytes a value (docs/decisions/0002).

    ``formerly`` names the shape that an event or a component had before: :class:`cim.domain.former.Former`.
    """

    def __init_subclass__(cls, formerly: "type[Record] | None" = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(frozen=True)(cls)
        # A default that stands on the class as well is what a value without the field would fall back to:
        # read from a body and written again it would say less, and another default would change it.
        for field in dataclasses.fields(cls):  # type: ignore[arg-type]  # it is one by now
            if field.name in cls.__dict__:
                delattr(cls, field.name)
        if formerly is not None:
            setattr(cls, FORMERLY, formerly)

    def but(self, **changes: Any) -> Self:
        """The same record with some fields changed; an unknown field is a ``TypeError``."""
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]
