"""Providers in processes of their own, asked over NATS: what they answer, and all that may go wrong."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cim.testing.processes import place, stop_for_now, wait_until

from .lab import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with place(tmp_path / "lab", tmp_path / "said") as machine:
        yield Lab(machine)


def test_a_provider_answers_and_is_found_and_listed(lab: Lab) -> None:
    lab.lay()
    lab.machine.up()
    gauge = lab.provide()
    lab.put("a", 3)
    wait_until(lambda: lab.readings() == {"a": 3000}, "the sample is read")
    (listed,) = lab.machine.cim("providers", "--json").data
    told = {name: listed[name] for name in ("contract", "version", "binding", "provider", "pid", "done")}
    assert told == {
        "contract": "Gauge",
        "version": 1,
        "binding": "fine",
        "provider": "gauges:Good",
        "pid": gauge.process.pid,
        "done": 1,
    }
    assert "Gauge 1 fine" in lab.machine.cim("providers").out
    ended = gauge.send(signal.SIGTERM)
    assert ended.code == 128 + signal.SIGTERM, ended.err
    assert lab.machine.cim("providers").out == "nobody provides anything over NATS\n"


def test_what_a_provider_says_it_cannot_do_is_recorded_by_name_and_once(lab: Lab) -> None:
    lab.lay()
    lab.machine.up()
    gauge = lab.provide()
    lab.put("less", -1)
    lab.causes("failed", lambda cause: cause == "nothing weighs less than nothing")
    lab.put("zero", 0)
    told = lab.causes("failed", lambda cause: "zero" in cause)
    assert told.startswith("the provider ")
    assert told.endswith(" at cap.Gauge.1.fine failed: KeyError: 'zero'")
    assert lab.asked == [gauge.process.pid] * 2


def test_a_provider_that_lies_is_named(lab: Lab) -> None:
    lab.lay()
    lab.machine.up()
    lab.provide("Lying")
    lab.put("a", 1)
    told = lab.causes("failed", lambda cause: True)
    assert "gauges:Lying lied: Gauge.weigh: it is no int" in told


def test_where_nobody_provides_it_waits_says_so_and_goes_on_by_itself(lab: Lab) -> None:
    lab.lay()
    lab.machine.up()
    lab.put("a", 1)
    lab.causes("tried", lambda cause: "nobody provides Gauge version 1 in binding fine: start one" in cause)
    told = lab.causes("open", lambda cause: "tried again " in cause)
    assert "nobody provides Gauge version 1" in told
    lab.provide()
    wait_until(lambda: lab.readings() == {"a": 1000}, "it is read")
    assert lab.waiting("open") == []
    assert lab.waiting("tried") == []


def test_a_provider_of_another_version_is_told_by_name(lab: Lab) -> None:
    lab.lay()
    lab.machine.up()
    lab.put("a", 1)
    lab.causes("tried", lambda cause: "nobody provides Gauge version 1" in cause)
    module = lab.folder / "lab.py"
    module.write_text(module.read_text().replace("@version(1)", "@version(2)  # newer"))
    lab.provide()
    lab.causes("tried", lambda cause: "there are providers of version 2 only" in cause)
    assert lab.asked == []


def test_a_call_that_takes_too_long_is_tried_again_and_an_instance_that_hangs_ends_by_itself(
    lab: Lab,
) -> None:
    lab.lay(seconds=1)
    lab.machine.up()
    held, hold = lab.provide("Held"), lab.hold()
    lab.put("a", 1)
    lab.causes("tried", lambda cause: "took longer than 1 s" in cause)
    done = held.end()
    assert (done.code, "a call of Gauge.weigh does not end; it had 1 s" in done.err) == (1, True)
    hold.unlink()
    lab.provide("Held")
    wait_until(lambda: lab.readings() == {"a": 1000}, "it is read")


def test_an_instance_that_is_replaced_answers_what_it_has_and_takes_no_more(lab: Lab) -> None:
    lab.lay()
    lab.machine.up()
    old, hold = lab.provide("Held"), lab.hold()
    lab.put("a", 1)
    wait_until(lambda: lab.asked == [old.process.pid], "it is at it")
    lab.provide("Twice")
    old.process.terminate()
    wait_until(
        lambda: [one["draining"] for one in lab.machine.cim("providers", "--json").data] == [True, False], ""
    )
    lab.put("b", 1)
    wait_until(lambda: lab.readings() == {"b": 2000}, "the new one is asked")
    hold.unlink()
    wait_until(lambda: lab.readings() == {"a": 1000, "b": 2000}, "the old one answers what it had")
    assert old.end().code == 128 + signal.SIGTERM
    assert len(lab.asked) == 2


def test_an_instance_that_stands_still_is_passed_over(lab: Lab) -> None:
    lab.lay()
    lab.machine.up()
    still = lab.provide()
    stop_for_now(still.process.pid)
    lab.provide("Twice")
    for number in range(6):
        lab.put(f"s{number}", 1)
    wait_until(lambda: lab.readings() == {f"s{number}": 2000 for number in range(6)}, "the other reads them")
    os.kill(still.process.pid, signal.SIGCONT)
    lab.put("late", 1)
    wait_until(lambda: "late" in lab.readings(), "it goes on")
    assert [lab.readings()[f"s{number}"] for number in range(6)] == [2000] * 6
    assert lab.waiting("failed") == []


def test_an_instance_that_is_killed_at_work_fails_no_run(lab: Lab) -> None:
    lab.lay()
    lab.machine.up()
    killed, hold = lab.provide("Held"), lab.hold()
    lab.put("a", 1)
    wait_until(lambda: lab.asked == [killed.process.pid], "it is at it")
    killed.kill()
    hold.unlink()
    other = lab.provide("Twice")
    wait_until(lambda: lab.readings() == {"a": 2000}, "another one is asked")
    assert lab.asked == [killed.process.pid, other.process.pid]
    assert lab.waiting("failed") == []


def test_no_run_fails_while_instances_are_replaced_killed_and_stand_still(lab: Lab) -> None:
    lab.lay()
    lab.machine.up()
    samples = {f"{batch}{number}" for batch in "abcd" for number in range(4)}

    def put(batch: str) -> None:
        for number in range(4):
            lab.put(f"{batch}{number}", 1)

    first = lab.provide("Slow")
    put("a")
    second = lab.provide("Slow")
    assert first.send(signal.SIGTERM).code == 128 + signal.SIGTERM
    put("b")
    second.kill()
    third = lab.provide("Slow")
    put("c")
    stop_for_now(third.process.pid)
    lab.provide("Slow")
    put("d")
    wait_until(lambda: lab.readings() == dict.fromkeys(samples, 1000), "all are read")
    assert lab.waiting("failed") == []
    os.kill(third.process.pid, signal.SIGCONT)


def test_instances_that_the_leaf_keeps_are_replaced_when_they_end_and_go_with_it(lab: Lab) -> None:
    lab.lay(more=", instances = 2")
    leaf = lab.machine.up()

    def pids() -> set[int]:
        return {one["pid"] for one in lab.machine.cim("providers", "--json").data}

    first = wait_until(lambda: found if len(found := pids()) == 2 else None, "both take calls")
    lab.put("a", 1)
    wait_until(lambda: lab.readings() == {"a": 1000}, "it is read")
    gone = min(first)
    os.kill(gone, signal.SIGKILL)
    second = wait_until(
        lambda: found if len(found := pids()) == 2 and gone not in found else None, "a new one"
    )
    assert len(second & first) == 1
    wait_until(lambda: "a provider of Gauge in binding fine died with signal 9" in leaf.err, "it is told")
    leaf.send(signal.SIGTERM)
    for pid in second:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("Weigher",), "no system here needs Weigher; they need Gauge"),
        (("Gauge", "--binding", "other"), "Gauge has no binding other: there is fine"),
        (("Gauge=gauges:None",), "cannot be imported"),
        (("Gauge",), "no leaf of machine lab runs"),
    ],
)
def test_what_cannot_be_provided_is_refused_by_name(
    lab: Lab, words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.lay()
    done = lab.machine.cim("provide", *words)
    assert (done.code, said in done.err) == (1, True), done.err
