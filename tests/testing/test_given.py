"""The given/when/then kit: what it holds, what it refuses, and how well it says so."""

from collections.abc import Iterable

import pytest

from cim import Command, Event, Reject, State
from cim.testing.given import given


class Put(Command):
    jar: str
    amount: int


class Added(Event):
    jar: str
    amount: int


class Filled(Event):
    jar: str


class Jar(State):
    """Declared by no context: the kit needs none."""

    amount: int = 0

    def decide(self, command: Put) -> Iterable[Added | Filled]:
        if self.amount + command.amount > 10:
            raise Reject(f"only {10 - self.amount} fit")
        if command.amount:
            yield Added(command.jar, command.amount)
        if self.amount + command.amount == 10:
            yield Filled(command.jar)

    def evolve(self, event: Added | Filled) -> "Jar":
        return self.but(amount=self.amount + event.amount) if isinstance(event, Added) else self


def test_a_decision_is_held_against_the_history() -> None:
    given(Jar).when(Put("j", 3)).then(Added("j", 3))
    given(Jar, Added("j", 4), Added("j", 3)).when(Put("j", 3)).then(Added("j", 3), Filled("j"))
    given(Jar).when(Put("j", 0)).then()


def test_a_story_goes_on_from_what_was_decided() -> None:
    jar = given(Jar).when(Put("j", 6)).then(Added("j", 6))
    assert jar.state == Jar(6)
    assert jar.when(Put("j", 4)).then(Added("j", 4), Filled("j")).state == Jar(10)


def test_a_rejection_is_held_to_its_whole_reason_even_when_decide_is_a_generator() -> None:
    given(Jar, Added("j", 8)).when(Put("j", 3)).rejects("only 2 fit")
    with pytest.raises(AssertionError, match="rejected: only 2 fit"):
        given(Jar, Added("j", 8)).when(Put("j", 3)).rejects("only 2")


def test_a_wrong_expectation_is_answered_with_all_that_matters() -> None:
    with pytest.raises(AssertionError) as told:
        given(Jar, Added("j", 1)).when(Put("j", 2)).then(Added("j", 3))
    assert str(told.value).splitlines() == [
        "Jar decided otherwise",
        "     given  Added(jar='j', amount=1)",
        "      when  Put(jar='j', amount=2)",
        "  expected  Added(jar='j', amount=3)",
        "    actual  Added(jar='j', amount=2)",
        "   differs  Added.amount is 2, not 3",
    ]


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ((), "expected  nothing"),
        ((Added("j", 2), Filled("j")), "            Filled"),
        ((Filled("j"),), "expected  Filled"),
    ],
    ids=["too few", "too many", "another type"],
)
def test_another_number_or_type_of_events_is_refused(expected: tuple[Event, ...], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        given(Jar).when(Put("j", 2)).then(*expected)


def test_events_where_a_rejection_was_expected_and_the_other_way_round_are_told() -> None:
    with pytest.raises(AssertionError, match=r"expected  rejected: full\n    actual  Added"):
        given(Jar).when(Put("j", 2)).rejects("full")
    with pytest.raises(AssertionError, match=r"expected  nothing\n    actual  rejected: only 0 fit"):
        given(Jar, Added("j", 10)).when(Put("j", 2)).then()


def test_an_error_that_is_no_rejection_is_raised_as_it_is() -> None:
    class Careless(Jar):
        def decide(self, command: Put) -> Iterable[Added | Filled]:
            raise ZeroDivisionError("oops")

    with pytest.raises(ZeroDivisionError, match="oops"):
        given(Careless).when(Put("j", 1))
