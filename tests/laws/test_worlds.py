"""Worlds of random modules from one seed each, held against a dictionary.

The long form is ``python -m cim.testing.worlds``.
"""

import os
import subprocess
import sys
from collections import Counter
from functools import cache

import pytest

from cim.domain.errors import Misdeclared
from cim.testing.guard import Guard
from cim.testing.worlds.__main__ import main
from cim.testing.worlds.life import Life, case, live
from cim.testing.worlds.module import MARKS
from cim.testing.worlds.plan import MANNERS
from cim.testing.worlds.shrink import is_wrong, shrunk
from cim.world.correction import corrected
from cim.world.due import _is_made, _matches, _named, holds, is_due
from cim.world.entity import Entity
from cim.world.expiry import Expiry
from cim.world.world import World
from cim.world.writer import Writer, _failure, _is_derived, _taken_away

SEEDS = range(150)

GUARDS = {
    "a run is written though its inputs were replaced": Guard(
        holds, "return made_from == now", "return True"
    ),
    "a run is written though it was made already": Guard(
        Writer._append, "is_wanted(call) and holds(call)", "holds(call)"
    ),
    "what changed since a run is not looked at": Guard(
        is_due, "return any(not _is_made", "return False and any(not _is_made"
    ),
    "a retry is not heard": Guard(is_due, "run is None or run.again is not None", "run is None"),
    "what is gone and came again was met": Guard(
        _named, 'yield found.came.named(f"{source}/added")', 'yield f"{source}/added", 1'
    ),
    "what is gone is not named": Guard(
        _named, "yield from gone.inputs(source) if gone is not None else ()", ""
    ),
    "what changed wakes who waits for what comes": Guard(_is_made, 'if read.kind == "added":', "if False:"),
    "Without asks for nothing": Guard(_matches, "return _carried(read, at) is None", "return True"),
    "what it was run for may be gone unseen": Guard(
        _matches,
        "return _followed(read, run) or _carried(read, at) is not None",
        "return _carried(read, at) is not None",
    ),
    "what a run no longer brings is not taken away": Guard(_taken_away, "return [", "return [] and ["),
    "a person's word is taken away by a system": Guard(
        _is_derived, "cell.correction is None or cell.derived is not None", "True"
    ),
    "a person's word stands until a system writes": Guard(
        World._fold_components, "if key in entity.corrections:", "if False:"
    ),
    "a word alone is the same before and after a value": Guard(
        corrected, "derived, last, taken)", "derived, last, 0)"
    ),
    "a failure stays when its cause is gone": Guard(
        _failure, "return [codec.Item(FAILED, 1, None)] if key in call.entity.cells else []", "return []"
    ),
    "what is lost leaves its last value behind": Guard(Entity.carry, "self.gone.pop(key, None)", "pass"),
    "an event that changes nothing wakes systems": Guard(
        World._fold_events, "if entity.exists and state == before:", "if False:"
    ),
    "a component ends before its time": Guard(Expiry._end, "if end > self._clock.now():", "if False:"),
    "nothing ends": Guard(Expiry._look, "self._watched.watch((entity.ref, kind.key), end)", "pass"),
}


@cache
def life(seed: int) -> Life | None:
    """The life of a seed; None where the machine refuses its modules by name."""
    try:
        return live(case(seed))
    except Misdeclared:
        return None


@pytest.mark.parametrize("first", range(0, len(SEEDS), 25))
def test_a_world_at_rest_is_as_the_dictionary_says(first: int) -> None:
    for seed in SEEDS[first : first + 25]:
        lived = life(seed)
        assert lived is None or lived.wrong == (), (
            f"make it small: python -m cim.testing.worlds --runs 1 --seed {seed}"
        )


def test_the_lives_of_these_tests_have_met_everything() -> None:
    lives = [found for seed in SEEDS if (found := life(seed)) is not None]
    assert 0 < len(SEEDS) - len(lives) < len(SEEDS) / 8, (
        "most of the random modules are sound, and some are not"
    )
    counted = sum((found.counted for found in lives), Counter[str]())
    kinds = {
        *(f"reads: {kind}" for kind in MARKS),
        *(f"systems: {manner}" for manner in MANNERS),
        *("attempt late", "attempt doubled", "attempt cut after", "link cut", "crashes"),
        *("components ended", "retries", "runs failed", "components judged by what was said"),
        *("a world goes on from its index", "index is not written"),
    }
    assert {kind for kind in kinds if counted[kind] < 5} == set()


def test_a_seed_gives_the_same_world_in_every_process() -> None:
    look = (
        "from cim.testing.worlds.life import case, live; life = live(case(7)); "
        "print(life.digest, sorted(life.counted.items()))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", look],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    here = live(case(7))
    assert said == {f"{here.digest} {sorted(here.counted.items())}\n"}


@pytest.mark.parametrize("name", GUARDS)
def test_the_dictionary_sees_that(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = GUARDS[name]
    monkeypatch.setattr(guard.function, "__code__", guard.code())
    for seed in SEEDS:
        if is_wrong(case(seed)):
            return
    pytest.fail(f"{len(SEEDS)} worlds without the guard ended as they should")


def test_a_case_that_ends_wrong_is_made_small_and_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guard = GUARDS["what changed since a run is not looked at"]
    monkeypatch.setattr(guard.function, "__code__", guard.code())
    seed = next(seed for seed in SEEDS if is_wrong(case(seed)))
    small = shrunk(case(seed))
    assert (len(small.deeds), len(small.plan.systems)) == (2, 1)
    assert main(["--seed", str(seed), "--runs", "1"]) == 1
    said = capsys.readouterr().out
    assert said.startswith(f"seed {seed}: ")
    assert "@things.system" in said
    assert "become t" in said
    assert said.count("1 runs, 0 refused by name, 1 failed") == 1


def test_the_long_form_prints_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "3", "--runs", "2"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "seeds 3 to 4: 2 runs, 0 refused by name, 0 failed"
