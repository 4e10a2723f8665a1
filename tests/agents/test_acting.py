"""What an agent may do: what it was granted, once, and what it did wrong is told to its model."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from cim import Failure, Unavailable
from cim.agents.acting import act
from cim.contract.entity import EntityType
from cim.contract.envelope import Origin
from cim.domain.errors import CimError
from cim.domain.message import Command

from .letters import SYSTEMS, Send

SYSTEM = SYSTEMS["keep"]
CAUSE = Origin.root("cause", "person:ada")


class Doors:
    """Doors that write down what goes through."""

    def __init__(self, answer: Mapping[str, Any] | Exception) -> None:
        self.answer = answer
        self.went: list[tuple[Any, ...]] = []

    async def send(self, kind: EntityType, command: Command, origin: Origin) -> Mapping[str, Any]:
        self.went.append((str(kind), command, origin))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def ask(self, name: str, question: Mapping[str, Any]) -> Any:
        self.went.append((name, dict(question)))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def use(doors: Doors, tool: str, arguments: dict[str, Any], step: tuple[int, int] = (0, 1)) -> Any:
    return asyncio.run(act(SYSTEM, doors, CAUSE, "run", step, tool, arguments))


RECEIPT = {"entity": "l1", "command": "id", "sequence": 7}


def test_a_command_goes_out_for_who_answers_and_with_an_id_of_run_and_step() -> None:
    doors = Doors(RECEIPT)
    assert use(doors, "letters_Send", {"letter": "l1"}) == {"done": "l1", "command": "id"}
    use(doors, "letters_Send", {"letter": "l1"})
    use(doors, "letters_Send", {"letter": "l1"}, (0, 3))
    (kind, command, first), (_, _, again), (_, _, other) = doors.went
    assert (kind, command) == ("letters.Letter", Send("l1"))
    assert first == again != other
    assert (first.owner, first.causation, first.correlation) == ("person:ada", "cause", "cause")


def test_a_query_is_asked() -> None:
    doors = Doors({"answer": 3})
    assert use(doors, "letters_how_many", {"name": "all"}) == {"answer": 3}
    assert doors.went == [("letters.how_many", {"name": "all"})]


@pytest.mark.parametrize("tool", ["letters_Burn", "Send", "letters.Send", "", "__class__"])
def test_what_was_not_granted_is_not_done(tool: str) -> None:
    doors = Doors(RECEIPT)
    with pytest.raises(Failure, match=r"was not granted .* it was granted: letters_Send, letters_how_many"):
        use(doors, tool, {"letter": "l1"})
    assert doors.went == []


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("letters_Send", {}, "missing required field `letter`"),
        ("letters_Send", {"letter": "l1", "to": "x"}, "no field 'to'"),
        ("letters_Send", {"letter": "l1", "copies": "many"}, "Expected `int`"),
        ("letters_Send", {"letter": "a.b"}, "outside A-Z"),
        ("letters_Send", {"letter": "*"}, "outside A-Z"),
        ("letters_Send", {"letter": "x" * 10_000}, "128 at most"),
        ("letters_how_many", {"what": 1}, "name"),
        ("letters_how_many", {"name": 5}, "Expected `str`"),
    ],
)
def test_what_cannot_be_done_is_told_to_the_model(tool: str, arguments: dict[str, Any], said: str) -> None:
    doors = Doors(RECEIPT)
    assert said in use(doors, tool, arguments)["refused"]
    assert doors.went == []


def test_a_rejection_and_an_error_of_the_door_are_told_to_the_model() -> None:
    assert use(Doors({"rejected": {"by": "x", "reason": "no"}}), "letters_Send", {"letter": "l"}) == {
        "refused": "no"
    }
    assert use(Doors(CimError("too large")), "letters_Send", {"letter": "l"}) == {"refused": "too large"}


@pytest.mark.parametrize("tool", ["letters_Send", "letters_how_many"])
def test_what_is_not_known_yet_is_no_answer(tool: str) -> None:
    with pytest.raises(Unavailable):
        use(Doors(Unavailable("later")), tool, {"letter": "l"} if tool == "letters_Send" else {"name": "x"})
