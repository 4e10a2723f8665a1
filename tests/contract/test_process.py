"""What the annotations of policies and processes say, and what is refused by name before a machine starts."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from cim import Cancel, Command, Context, Event, Later, Process, Reject, Rejected, State, Timer
from cim.contract.composition import compose
from cim.contract.process import ProcessType
from cim.domain.errors import Misdeclared


class Open(Command):
    door: str


class Opened(Event):
    door: str


class Shut(Command):
    door: str


class Moved(Event):
    """It has no door."""

    room: str


class Elsewhere(Event):
    door: str


class Nobodys(Command):
    door: str


class Draught(Timer):
    door: str


class Other(Timer):
    door: str


class Seen(Event):
    times: int


class Unseen(Event):
    times: int


def house() -> Context:
    made = Context("house")

    class Door(State):
        def decide(self, command: Open | Shut) -> Iterable[Opened | Moved]:
            raise Reject("locked")

        def evolve(self, event: Opened | Moved) -> Any:
            return self

    made.entity(key="door")(Door)
    return made


def only(context: Context) -> ProcessType:
    (found,) = compose([context]).processes
    return found


def policy(takes: Any, gives: Any, **more: Any) -> ProcessType:
    made = house()

    def react(event: Any) -> Any:
        return None

    react.__annotations__ = {"event": takes, "return": gives}
    made.policy(react)
    return only(made)


def process(takes: Any, gives: Any, facts: Any = None, key: str = "door", **more: Any) -> ProcessType:
    made = house()

    def react(self: Any, trigger: Any) -> Any:
        return []

    def evolve(self: Any, fact: Any) -> Any:
        return self

    react.__annotations__ = {"trigger": takes, "return": gives}
    evolve.__annotations__ = {"fact": facts}
    namespace = {"react": react, "__module__": __name__, **more}
    if facts is not None:
        namespace["evolve"] = evolve
    made.process(key=key)(type("Watching", (Process,), namespace))
    return only(made)


def test_a_policy_is_read_from_its_signature() -> None:
    found = policy(Opened | Rejected[Shut], Iterable[Shut] | None)
    assert (str(found), found.key, found.takes) == ("house.react", None, ("house.Door.Opened",))
    assert list(found.asks) == list(found.refusals) == ["house.Shut"]
    assert found.itself == "evt.house.react.="
    assert found.instance(found.ref("d1"), {"door": "d2"}) == "d1"


@pytest.mark.parametrize(
    "gives", [Shut, Shut | None, Iterable[Shut], Iterable[Shut | Open] | Open | None, None]
)
def test_a_policy_gives_one_command_or_many_or_none(gives: Any) -> None:
    assert "house.Shut" in policy(Opened, gives).asks or gives is None


def test_a_process_is_read_from_its_class() -> None:
    found = process(
        Opened | Draught | Rejected[Shut], Iterable[Seen | Shut | Later[Draught] | Cancel[Draught]], Seen
    )
    assert (str(found), found.key) == ("house.Watching", "door")
    assert list(found.timers) == ["Draught"]
    assert list(found.facts) == ["Seen"]
    assert list(found.asks) == ["house.Shut"]
    assert found.instance(found.ref("d1"), {"door": "d2"}) == "d2"


def test_a_process_may_have_facts_that_it_no_longer_gives() -> None:
    assert list(process(Opened, Iterable[Seen], Seen | Unseen).facts) == ["Seen", "Unseen"]


REFUSED: dict[str, tuple[Callable[..., Any], Any, Any, dict[str, Any], str]] = {
    "an event of nobody": (policy, Elsewhere, Shut, {}, "house.react takes Elsewhere, an event of no entity"),
    "no event": (policy, None, Shut, {}, "say which events it may be"),
    "a command of nobody": (policy, Opened, Nobodys, {}, "asks for Nobodys, a command of no entity here"),
    "something else given": (policy, Opened, int, {}, "house.react gives int"),
    "something else taken": (policy, Opened | int, Shut, {}, "takes <class 'int'>, which is no Event"),
    "a fact of a policy": (
        policy,
        Opened,
        Iterable[Seen],
        {},
        "a policy gives commands; a process remembers",
    ),
    "a timer of a policy": (policy, Opened, Iterable[Later[Draught]], {}, "a policy gives commands"),
    "a rejection of what it never asks": (
        policy,
        Opened | Rejected[Shut],
        Open,
        {},
        "takes Rejected[Shut], which it never asks for",
    ),
    "a key that an event has not": (
        process,
        Opened | Moved,
        Iterable[Shut],
        {},
        "the event Moved has no field `door: str`, which names the process",
    ),
    "a timer that is not taken": (
        process,
        Opened,
        Iterable[Later[Draught]],
        {},
        "sets the timer Draught and does not take it",
    ),
    "a timer that is not set": (
        process,
        Opened | Draught | Other,
        Iterable[Later[Draught]],
        {},
        "takes the timer Other, which it never sets",
    ),
    "a timer that is cancelled alone": (
        process,
        Opened | Draught,
        Iterable[Cancel[Draught]],
        {},
        "takes the timer Draught, which it never sets",
    ),
    "no timer at all": (process, Opened, Iterable[Later[Any]], {}, "which is no Timer"),
    "a fact that is not folded": (
        process,
        Opened,
        Iterable[Seen],
        {"facts": Unseen},
        "react gives Seen, which evolve does not take",
    ),
    "facts without a fold": (process, Opened, Iterable[Seen], {}, "evolve must be a method"),
    "a fact that is no event": (process, Opened, Iterable[Shut], {"facts": Shut}, "which is no Event"),
    "nothing begins it": (process, Draught, Iterable[Later[Draught]], {}, "say which events it may be"),
    "a state without a default": (
        process,
        Opened,
        Iterable[Shut],
        {"__annotations__": {"times": int}},
        "every field needs a default",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_refused_by_name(what: str) -> None:
    make, takes, gives, more, said = REFUSED[what]
    with pytest.raises(Misdeclared) as refused:
        make(takes, gives, **more)
    assert said in str(refused.value)


def test_a_policy_that_waits_is_refused() -> None:
    made = house()

    @made.policy
    async def late(event: Opened) -> Shut:
        return Shut(event.door)

    with pytest.raises(Misdeclared, match=r"house\.late is async"):
        compose([made])


def test_a_policy_takes_one_thing() -> None:
    made = house()

    @made.policy
    def two(event: Opened, other: Opened) -> Shut:
        return Shut(event.door)

    with pytest.raises(Misdeclared, match="one parameter, the event"):
        compose([made])


def test_a_process_has_a_name_that_nothing_else_has() -> None:
    made = house()

    @made.policy
    def Door(event: Opened) -> Shut:
        return Shut(event.door)

    with pytest.raises(Misdeclared, match=r"entities, processes, policies and agents are named house\.Door"):
        compose([made])


def test_a_class_is_declared_once() -> None:
    made = house()

    class Twice(Process):
        def react(self, trigger: Opened) -> Iterable[Shut]:
            return []

    made.process(key="door")(Twice)
    with pytest.raises(Misdeclared, match="a class has one owner"):
        made.process(key="door")(Twice)


def test_a_module_may_ask_and_hear_another() -> None:
    street = Context("street")

    @street.policy
    def close(event: Opened) -> Shut:
        return Shut(event.door)

    (found,) = compose([house(), street]).processes
    assert (str(found), list(found.asks)) == ("street.close", ["house.Shut"])
    with pytest.raises(Misdeclared, match="a command of no entity here"):
        compose([street])
