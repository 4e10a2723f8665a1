"""A circuit opens after failures in a row, and one call closes it or opens it anew."""

from cim.capabilities.circuit import Circuit


def test_it_opens_after_so_many_failures_in_a_row_and_not_before() -> None:
    circuit = Circuit(failures=2, rest=5.0)
    assert circuit.enter(0.0)
    assert not circuit.failed(0.0, "away")
    assert not circuit.worked()
    assert not circuit.failed(1.0, "away")
    assert circuit.enter(1.0)
    assert circuit.failed(1.0, "gone")
    assert (circuit.is_open, circuit.cause, circuit.left(2.0)) == (True, "gone", 4.0)
    assert not circuit.enter(5.9)


def test_one_call_tries_it_and_what_it_comes_to_decides() -> None:
    circuit = Circuit(failures=1, rest=5.0)
    circuit.failed(0.0, "away")
    assert circuit.enter(5.0)
    assert not circuit.enter(5.0), "one trial at a time"
    assert not circuit.failed(6.0, "still away"), "it was open before"
    assert not circuit.enter(10.9)
    assert circuit.enter(11.0)
    assert circuit.worked()
    assert circuit.enter(11.0)
    assert circuit.enter(11.0)
    assert circuit.left(11.0) == 0.0


def test_a_trial_that_tells_nothing_lets_another_one_through() -> None:
    circuit = Circuit(failures=1, rest=5.0)
    circuit.failed(0.0, "away")
    assert circuit.enter(5.0)
    circuit.gave_up()
    assert circuit.enter(5.0)


def test_the_answer_of_a_call_that_was_begun_before_closes_it() -> None:
    circuit = Circuit(failures=1, rest=5.0)
    assert circuit.enter(0.0)
    circuit.failed(0.0, "away")
    assert circuit.worked()
    assert circuit.enter(0.1)
