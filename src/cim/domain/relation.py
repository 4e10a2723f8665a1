"""How one entity names another, and how a system reads across that."""

from dataclasses import dataclass

from cim.domain.state import State


@dataclass(frozen=True, slots=True)
class Refers:
    """Marks a field that holds the id of an entity of type ``to``:
    ``customer: Annotated[str, Refers(Customer)]``, or ``str | None`` where there may be none."""

    to: type[State]


@dataclass(frozen=True, slots=True)
class Via:
    """Which field leads to the entity that a parameter is of, where there are several of its type:
    ``credit: Annotated[Changed[Credit], Via("buyer")]``.

    ``field`` is the field's name; with the parameter before it (``"order.buyer"``) where two parameters have
    a field of that name.
    """

    field: str
