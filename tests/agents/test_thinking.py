"""A run of an agent: steps that are noted, given back, and what a model may come to."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError

from cim import Budget, Failure, Unavailable
from cim.agents.thinking import Thinking, run
from cim.contract.system import SystemType
from cim.testing.thinking import InMemory, Killed, Line, Script

from .letters import SYSTEMS, Burn, Letter, Send, Tone, Topic, letters

JUDGE, SORT = SYSTEMS["judge"], SYSTEMS["sort"]
WARM = Tone("warm", 0.75)


def made(system: SystemType, script: Script, steps: InMemory) -> Any:
    assert system.agent is not None
    thinks = {
        name: Thinking(system, answer, script.model, letters.glossary)
        for name, answer in system.agent.thinks.items()
    }
    return asyncio.run(run(steps, lambda: system.function(Letter("Dear you"), **thinks)))


def test_a_run_answers_in_its_shape_and_each_step_is_noted() -> None:
    script, steps = Script(Burn("l1"), WARM), InMemory()
    assert made(JUDGE, script, steps) == WARM
    assert [(one.think, one.number, one.what) for one in steps.steps] == [
        (0, 0, "model"),
        (0, 1, "letters_Burn"),
        (0, 2, "model"),
    ]
    assert steps.uses == [(0, 1, "letters_Burn", {"letter": "l1"})]
    assert all(one.tokens_out > 0 for one in steps.steps if one.what == "model")
    assert "How does it sound?" in steps.steps[0].asked
    assert "Dear you" in steps.steps[0].asked


def test_the_prompt_speaks_the_words_of_the_module() -> None:
    script = Script(WARM)
    made(JUDGE, script, InMemory())
    said = str(script.heard[0])
    for words in (
        "You judge how letters sound.",
        "sender: Who wrote a letter.",
        "Tone: How a letter sounds.",
    ):
        assert words in said


@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_killed_anywhere_goes_on_and_does_no_finished_step_again(at: int, when: str) -> None:
    script = Script(Burn("l1"), WARM)
    steps = InMemory(before=at) if when == "before" else InMemory(after=at + 1)
    with pytest.raises(Killed):
        made(JUDGE, script, steps)
    steps.before = steps.after = None
    assert made(JUDGE, script, steps) == WARM
    assert script.requests == 2
    assert [use[2] for use in steps.uses] == ["letters_Burn"]
    whole = InMemory()
    made(JUDGE, Script(Burn("l1"), WARM), whole)
    assert [(one.what, one.digest) for one in steps.steps] == [(one.what, one.digest) for one in whole.steps]


def test_a_replay_asks_nobody_and_comes_to_the_same() -> None:
    steps = InMemory()
    made(SORT, Script("of love", (Topic("love"),)), steps)
    before, silent = len(steps.steps), Script()
    assert made(SORT, silent, steps) == Topic("love")
    assert (silent.requests, len(steps.steps)) == (0, before)


def test_each_use_of_what_it_thinks_with_counts_its_own_steps() -> None:
    steps = InMemory()
    assert made(SORT, Script("of love", {}), InMemory()) is None
    made(SORT, Script("of love", {"Topic": {"topic": 5}}, (Topic("love"),)), steps)
    assert [(one.think, one.number) for one in steps.steps] == [(0, 0), (1, 0), (1, 1)]


def test_a_run_that_asks_something_else_than_before_is_not_made() -> None:
    steps = InMemory(before=2)
    with pytest.raises(Killed):
        made(JUDGE, Script(Burn("l1"), WARM), steps)
    steps.steps[0] = replace(steps.steps[0], digest="0" * 64)
    steps.before = None
    with pytest.raises(Exception, match=r"step 0\.0 was model .* asks its model something else") as caught:
        made(JUDGE, Script(Burn("l1"), WARM), steps)
    assert "cim retry" in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (("nothing but text",) * 9, "gave no Tone"),
        (({"tone": "warm"},) * 9, "missing required field `score`"),
        (({"tone": "warm", "score": 1.0, "mood": "x"},) * 9, "no field 'mood'"),
        (({"tone": 5, "score": 1.0},) * 9, "Expected `str`, got `int`"),
        (({},) * 9, "gave no Tone"),
        ((Burn("a"),) * 9, "used up its budget"),
        ((Send("a", "b"),) * 9, "gave no Tone"),
        ((ModelHTTPError(400, "m", "bad"),), "status_code: 400"),
    ],
)
def test_a_model_that_gives_no_answer_ends_named(lines: tuple[Line, ...], cause: str) -> None:
    script = Script(*lines)
    with pytest.raises(Failure, match=cause):
        made(JUDGE, script, InMemory())
    assert script.requests <= 4


@pytest.mark.parametrize(
    "error", [ModelHTTPError(503, "m", "down"), ModelHTTPError(429, "m"), ModelAPIError("m", "gone")]
)
def test_a_model_that_is_away_is_asked_again_later(error: Exception) -> None:
    steps = InMemory()
    with pytest.raises(Unavailable):
        made(JUDGE, Script(error), steps)
    assert steps.steps == []


def test_a_budget_counts_what_was_spent_before_a_crash() -> None:
    steps = InMemory(before=5)
    script = Script(Burn("a"), Burn("b"), Burn("c"), Burn("d"), WARM)
    with pytest.raises(Killed):
        made(JUDGE, script, steps)
    steps.before = None
    with pytest.raises(Failure, match="request_limit of 4"):
        made(JUDGE, script, steps)
    assert script.requests == 4


def test_a_budget_is_of_the_whole_run_and_not_of_each_thought() -> None:
    many = Script("of love", *({"Topic": {"topic": 5}},) * 2, (Topic("love"),))
    assert made(SORT, many, InMemory()) == Topic("love")
    assert SORT.agent is not None
    tight = replace(SORT, agent=replace(SORT.agent, budget=Budget(requests=1)))
    script = Script("of love", (Topic("love"),))
    with pytest.raises(Failure, match="request_limit of 1"):
        made(tight, script, InMemory())
    assert script.requests == 1


def test_what_a_tool_refuses_is_told_to_the_model() -> None:
    steps = InMemory(does=lambda tool, arguments: {"refused": "it is not burnable"})
    script = Script(Burn("l1"), WARM)
    made(JUDGE, script, steps)
    assert "it is not burnable" in str(script.heard[-1][-1])


def test_a_prompt_of_a_million_characters_is_told_whole() -> None:
    system, script = SORT, Script("of love", (Topic("love"),))
    assert system.agent is not None
    text = "x" * 1_000_000
    thinks: Mapping[str, Any] = {
        name: Thinking(system, answer, script.model, {}) for name, answer in system.agent.thinks.items()
    }
    steps = InMemory()
    asyncio.run(run(steps, lambda: system.function(Letter(text), **thinks)))
    assert text in steps.steps[0].asked
