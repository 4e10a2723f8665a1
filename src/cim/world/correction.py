"""A person's word outranks what was derived, and survives every derivation."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cim.contract import codec
from cim.domain.component import Component
from cim.domain.errors import CimError
from cim.world.entity import Cell, Correction


def derived_of(cell: Cell | None) -> Cell | None:
    """The value as a system wrote it, before any correction; None where none did."""
    return cell if cell is None or cell.correction is None else cell.derived


def corrected(
    derived: Cell | None, kind: type[Component], corrections: Sequence[Correction], taken: int = 0
) -> Cell | None:
    """What was derived, put right by each correction in turn; what none of them concerns stays as it is.

    Where nothing was derived, and every field of the component has a default, the corrections are put on
    the component without anything known. ``taken`` is the number of the commit that took away what was
    derived before, if one did: what stands alone since is another value than what stood alone before.
    """
    value = _typed(derived, kind)
    if value is None:
        return derived
    last: Correction | None = None
    for correction in corrections:
        after = _put_right(value, correction)
        if after != value:
            value, last = after, correction
    return derived if last is None else _cell(codec.plain(value), derived, last, taken)


def _put_right(value: Component, correction: Correction) -> Component:
    try:
        return value.correct(correction.event)
    except Exception as error:  # it must not refuse, and what a module's code raises is named
        raise CimError(
            f"sequence {correction.commit.sequence}: {type(value).__name__}.correct raised "
            f"{type(error).__name__}: {error}"
        ) from error


def _cell(value: Any, derived: Cell | None, correction: Correction, taken: int) -> Cell:
    commit = correction.commit
    said = Cell(
        value, commit.origin, commit.sequence, taken, commit.origin.owner, commit.time, correction, None
    )
    if derived is None:
        return said
    if derived.sequence > commit.sequence:
        return replace(derived, value=value, correction=correction, derived=derived)
    return replace(said, number=derived.number, by=derived.by, derived=derived)


def _typed(derived: Cell | None, kind: type[Component]) -> Component | None:
    if derived is not None:
        try:
            return codec.typed(derived.value, kind)
        except codec.BadBody:  # of a shape that its module no longer knows: a person's word needs none
            pass
    try:
        return kind()
    except TypeError:
        return None
