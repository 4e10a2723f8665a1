"""The text of code follows what it uses in its own package, and nothing else."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given as hypothesis_given

from cim.contract.code import functions_of, text_of
from cim.domain.record import Record

LIMIT = 3
RATES = (1, ("a", 2.5))
CHANGING = [1]


def doubled(value: int) -> int:
    return 2 * value


class Line(Record):
    amount: int
    rounded: bool = True
    factor = 7

    @property
    def worth(self) -> int:
        return doubled(self.amount)


def used(value: int) -> Any:
    inner = [LIMIT for _ in RATES]
    return Line(value).worth, inner, CHANGING, hypothesis_given


def told(function: Callable[..., Any]) -> str:
    return "\n".join(text_of([function]))


def test_it_follows_functions_classes_and_plain_values() -> None:
    said = told(used)
    for part in (used, doubled, Line.worth.fget):  # type: ignore[attr-defined]
        assert inspect.getsource(part) in said
    for value in (
        "LIMIT = 3",
        'RATES = [1,["a",2.5]]',
        "Line.factor = 7",
        "Line.rounded = true",
        "Line.fields = ['amount', 'rounded']",
    ):
        assert value in said


def test_what_may_change_while_it_runs_and_other_packages_are_left_out() -> None:
    said = told(used)
    assert "CHANGING =" not in said
    assert inspect.getsource(hypothesis_given) not in said


def test_it_tells_a_change_and_is_the_same_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    before = told(used)
    assert told(used) == before
    monkeypatch.setattr(Line, "factor", 8)
    assert told(used) != before
    monkeypatch.undo()
    monkeypatch.setitem(globals(), "doubled", lambda value: 3 * value)
    assert told(used) != before


def test_a_class_that_is_left_out_is_not_followed() -> None:
    said = "\n".join(text_of([used], without=[Line]))
    assert "doubled" not in said


def test_what_a_function_closes_over_is_followed() -> None:
    def made(factor: int) -> Callable[[int], int]:
        def times(value: int) -> int:
            return doubled(value) * factor

        return times

    assert told(made(2)) != told(made(3))
    assert inspect.getsource(doubled) in told(made(2))


def test_code_that_no_file_holds_is_told_by_its_bytes() -> None:
    found: dict[str, Any] = {}
    for number in (1, 2):
        exec(compile(f"def f{number}(): return {number}", "nowhere", "exec"), found)
    assert told(found["f1"]) != told(found["f2"])


def test_functions_that_a_dataclass_makes_are_nobodys_text() -> None:
    assert [one.__name__ for one in functions_of(Line)] == ["worth"]
