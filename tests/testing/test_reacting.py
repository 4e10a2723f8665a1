"""The test kit for policies and processes: what it holds, and what it says where that fails."""

from collections.abc import Iterable
from datetime import timedelta

import pytest

from cim import Cancel, Command, Event, Later, Process, Rejected, Timer
from cim.testing.reacting import reacting


class Lent(Event):
    book: str


class Returned(Event):
    book: str


class Write(Command):
    letter: str


class Noted(Event):
    times: int


class Overdue(Timer):
    book: str


MONTH = timedelta(days=30)


class Reminding(Process):
    times: int = 0

    def react(
        self, trigger: Lent | Returned | Overdue | Rejected[Write]
    ) -> Iterable[Write | Noted | Later[Overdue] | Cancel[Overdue]]:
        match trigger:
            case Lent(book):
                return [Later(Overdue(book), after=MONTH)]
            case Returned(book):
                return [Cancel(Overdue(book))]
            case Overdue(book):
                return [Write(book), Noted(self.times + 1), Later(Overdue(book), after=MONTH)]
            case Rejected():
                raise ZeroDivisionError("no way")

    def evolve(self, fact: Noted) -> "Reminding":
        return self.but(times=fact.times)


def praise(event: Lent) -> Write | None:
    return Write(event.book) if event.book == "good" else None


def test_a_story_is_told_step_by_step() -> None:
    story = reacting(Reminding).when(Lent("b1")).asks().sets(Later(Overdue("b1"), after=MONTH)).notes()
    story.when(Overdue("b1")).asks(Write("b1")).notes(Noted(1)).cancels()
    story.when(Overdue("b1")).notes(Noted(2))
    assert (story.state, story.timers) == (Reminding(2), [Overdue("b1")])
    assert story.when(Returned("b1")).cancels(Overdue("b1")).timers == []
    with pytest.raises(ZeroDivisionError):
        story.when(Rejected(Write("b1"), "no paper"))


def test_a_policy_is_told_the_same_way() -> None:
    reacting(praise).when(Lent("good")).asks(Write("good")).when(Lent("bad")).asks()


def test_what_does_not_hold_is_said() -> None:
    with pytest.raises(AssertionError) as said:
        reacting(Reminding, Lent("b1")).when(Overdue("b1")).asks(Write("b2"))
    assert str(said.value) == (
        "Reminding after\n    Lent(book='b1')\n    Overdue(book='b1')\n"
        "expected that it asks for\n    Write(letter='b2')\n  but there is\n    Write(letter='b1')"
    )
    for claim in ("sets", "cancels", "notes"):
        with pytest.raises(AssertionError, match=f"expected that it {claim}"):
            getattr(reacting(Reminding).when(Lent("b1")), claim)(Lent("b1"))


def test_what_cannot_happen_is_refused() -> None:
    with pytest.raises(AssertionError, match="is not set"):
        reacting(Reminding, Lent("b1"), Returned("b1"), Overdue("b1"))
    with pytest.raises(AssertionError, match="was never asked for"):
        reacting(Reminding, Rejected(Write("b1"), "no paper"))
