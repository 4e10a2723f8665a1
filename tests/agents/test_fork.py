"""A fork of a run: what it was told up to a step is held fixed, and from there on it goes as it would now."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from cim.agents.fork import Fork, Kept, WouldSend, place_of
from cim.agents.past import PastRun
from cim.agents.steps import Began
from cim.agents.thinking import Thinking, run
from cim.contract.subjects import Ref
from cim.domain.errors import CimError
from cim.testing.thinking import InMemory, Script

from .letters import SYSTEMS, Burn, Letter, Send, Tone, letters

JUDGE = SYSTEMS["judge"]
WARM, COLD = Tone("warm", 0.75), Tone("cold", 0.25)


def thinks(script: Script) -> dict[str, Thinking]:
    assert JUDGE.agent is not None
    return {
        name: Thinking(JUDGE, answer, script.model, letters.glossary)
        for name, answer in JUDGE.agent.thinks.items()
    }


def lived(*lines: Any) -> PastRun:
    """A run that went so."""
    steps = InMemory()
    asyncio.run(run(steps, lambda: JUDGE.function(Letter("Dear you"), **thinks(Script(*lines)))))
    began = Began(str(JUDGE), JUDGE.version, "evt.letters.Letter.l1", "script", "{}")
    return PastRun(Ref("letters", "judge", "r1"), began, "", "person:ada", "c1", steps.steps, "done")


def no_question(name: str, question: Mapping[str, Any]) -> Any:
    raise AssertionError(f"{name} is not asked")


def forked(past: PastRun, at: str, script: Script, prompt: str = "") -> tuple[Any, Fork]:
    fork = Fork(past, JUDGE, place_of(at), prompt, no_question)
    made = run(fork, lambda: JUDGE.function(Letter("Dear you"), **thinks(script)), Kept)
    return asyncio.run(made), fork


def test_what_came_before_the_step_is_kept_and_the_rest_is_made_anew() -> None:
    past, script = lived(Burn("l1"), WARM), Script(COLD)
    output, fork = forked(past, "0.2", script)
    assert output == COLD
    assert script.requests == 1
    assert [step.what for step in fork.kept] == ["model", "letters_Burn"]
    assert [(step.number, step.what) for step in fork.steps] == [(2, "model")]


def test_with_another_prompt_what_is_kept_stays_though_it_would_ask_otherwise() -> None:
    past, script = lived(Burn("l1"), WARM), Script(COLD)
    output, _ = forked(past, "0.2", script, "You judge sternly.")
    assert output == COLD
    assert "You judge sternly." in str(script.heard[0])


def test_a_tool_that_it_used_before_answers_as_it_did_and_is_not_used_again() -> None:
    past = lived(Burn("l1"), WARM)
    output, fork = forked(past, "0.0", Script(Burn("l1"), COLD))
    assert output == COLD
    assert [step.said for step in fork.steps if step.what == "letters_Burn"] == [past.steps[1].said]


def test_a_command_that_it_never_sent_ends_the_fork() -> None:
    past = lived(Burn("l1"), WARM)
    with pytest.raises(WouldSend, match=r'it would send letters\.Burn \{"letter":"l2"\} here') as told:
        forked(past, "0.0", Script(Burn("l2"), COLD))
    assert (told.value.command, told.value.arguments) == ("letters.Burn", {"letter": "l2"})


def test_a_tool_that_was_not_granted_is_not_used_in_a_fork_either() -> None:
    past = lived(WARM)
    with pytest.raises(Exception, match="gave no Tone"):
        forked(past, "0.0", Script(*[Send("a", "b")] * 9))
    assert JUDGE.agent is not None
    fork = Fork(past, JUDGE, (0, 0), "", no_question)
    with pytest.raises(Exception, match="was not granted 'letters_Send'"):
        fork.act(0, 1, "letters_Send", {"letter": "a"})


def test_a_query_is_asked_now_where_it_was_not_asked_before() -> None:
    past = lived(WARM)
    asked: list[tuple[str, Mapping[str, Any]]] = []
    keep, name, question = SYSTEMS["keep"], "letters_how_many", {"name": "all"}
    fork = Fork(past, keep, (0, 0), "", lambda *one: asked.append(one))
    fork.act(0, 1, name, question)
    assert asked == [("letters.how_many", question)]
    said = '{"content_file_digests":[],"kind":"tool_return","result":7}'
    with_it = replace(past.steps[0], what=name, asked='{"name":"all"}', said=said)
    fork = Fork(replace(past, steps=[*past.steps, with_it]), keep, (0, 0), "", no_question)
    assert fork.act(0, 1, name, question) == 7
    assert "refused" in fork.act(0, 2, name, {"most": 1})


def test_a_step_that_is_not_there_is_refused_by_name() -> None:
    past = lived(Burn("l1"), WARM)
    with pytest.raises(CimError, match=r"run r1 has no step 1\.0; it has: 0\.0, 0\.1, 0\.2"):
        Fork(past, JUDGE, (1, 0), "", no_question)
    for text in ("", "1", "a.b", "0.", "-1.0", "0.1.2"):
        with pytest.raises(CimError, match="name a step as `cim agent show` does"):
            place_of(text)
