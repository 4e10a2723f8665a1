"""``cim waiting``: whatever does not go on is listed with its cause and with what frees it."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from cim import Command, Context, Event, State
from cim.cli.waiting import waiting
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.envelope import Commit, Origin
from cim.contract.stranger import stranger
from cim.log.chain import Head
from cim.testing.processes import Place
from cim.world.world import World


def test_a_failure_is_listed_with_its_cause(machine: Place) -> None:
    done = machine.cim("waiting", "--json")
    assert (done.code, done.err) == (0, "")
    (failed,) = done.data
    assert list(failed) == ["entity", "system", "why", "cause", "frees"]
    assert failed["entity"].startswith("documents.Document ")
    assert (failed["system"], failed["why"]) == ("documents.read", "failed")
    assert failed["cause"].startswith("text/plain is neither a picture nor a PDF")
    table = machine.cim("waiting").out
    assert failed["cause"] in table


def test_work_that_nobody_does_is_listed_with_what_frees_it(machine: Place, read_machine: Path) -> None:
    scan = f"scan=@{read_machine.parent / 'slips' / 'slip-00.png'}"
    machine.cim("send", "documents.Receive", "document=new", "title=New", scan)
    due = [one for one in machine.cim("waiting", "--json").data if one["why"] == "due"]
    assert {one["system"] for one in due} == {"documents.preview", "documents.read"}
    assert {(one["entity"], one["frees"]) for one in due} == {("documents.Document new", "`cim up`")}

    freed = machine.cim("demo", "--exit", "--port", "0", read_machine.parent / "slips" / "slip-00.png")
    assert freed.code == 0, freed.err
    assert [one["why"] for one in machine.cim("waiting", "--json").data] == ["failed"]


def test_where_nothing_waits_that_is_said(new_machine: Place, read_machine: Path) -> None:
    slip = read_machine.parent / "slips" / "slip-00.png"
    new_machine.cim("demo", "--exit", "--port", "0", slip)
    assert new_machine.cim("waiting").out == "nothing waits\n"


class Add(Command):
    jar: str


class Added(Event):
    jar: str


shop = Context("shop")


@shop.entity(key="jar")
class Jar(State):
    count: int = 0

    def decide(self, command: Add) -> Iterable[Added]:
        return [Added(command.jar)]

    def evolve(self, event: Added) -> "Jar":
        return self.but(count=self.count + 1)


def added(event: str) -> Commit:
    body = codec.encode([codec.Item(event, 1, {"jar": "j1"})])
    origin = Origin.root(event, "tester")
    return Commit("evt.shop.Jar.j1", 0, origin, "cim:test", "shop.Jar.Committed", "t", "s", body)


@pytest.mark.parametrize(
    ("second", "cause", "frees"),
    [
        (
            lambda head: stranger("evt.shop.Jar.j1", b"", 2, "it is junk"),
            "no machine wrote this message: it is junk",
            "`cim release evt.shop.Jar.j1 --sequence 2 --reason TEXT`",
        ),
        (
            lambda head: head.link(added("Broken")).at(2),
            "shop.Jar declares no event Broken",
            "a module that declares what is missing, "
            "or `cim release evt.shop.Jar.j1 --sequence 2 --reason TEXT`",
        ),
        (
            lambda head: replace(head.link(added("Added")), number=3).at(2),
            "commit 2 is missing, found number 3",
            "a copy of the log in which nothing is missing or changed, "
            "or `cim release evt.shop.Jar.j1 --sequence 2 --reason TEXT`",
        ),
    ],
    ids=["stranger", "unknown event", "broken chain"],
)
async def test_what_is_stopped_is_listed_with_the_command_that_frees_it(
    second: Callable[[Head], Commit], cause: str, frees: str
) -> None:
    composition = compose([shop])
    world, head = World(composition), Head()
    first = head.link(added("Added")).at(1)
    world.apply(first)
    world.apply(second(head.advance(first)))
    (one,) = await waiting(world, composition, up=True)
    assert cause in one["cause"]
    assert (one["entity"], one["why"], one["frees"]) == ("shop.Jar j1", "stopped", frees)


async def test_a_command_to_release_a_wild_subject_is_safe_to_paste() -> None:
    composition = compose([shop])
    world = World(composition)
    world.apply(stranger("evt.$(reboot).'x", b"", 1, "it is junk"))
    (one,) = await waiting(world, composition, up=True)
    assert one["frees"] == """`cim release 'evt.$(reboot).'"'"'x' --sequence 1 --reason TEXT`"""
    assert one["entity"] == "evt.$(reboot).'x"
