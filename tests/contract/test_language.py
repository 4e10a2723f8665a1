"""The language of a module is what its types and functions say, and has another version when that changes."""

from collections.abc import Callable, Iterable
from typing import Literal

import pytest

from cim import (
    Changed,
    Command,
    Component,
    Context,
    Event,
    Key,
    Personal,
    Process,
    Row,
    Rows,
    State,
    Table,
)
from cim.contract.composition import compose
from cim.contract.language import Language, Word, language_of, language_text, languages_of
from cim.domain.errors import CimError


class Register(Command):
    """Take somebody into
    the book."""

    guest: str
    name: Personal[str]
    room: Literal["north", "south"] = "north"


class Registered(Event):
    guest: str
    name: Personal[str]


class Listed(Row):
    """Who is in the house."""

    guest: Key[str]


class Greeted(Component):
    """How often somebody was greeted; None where nobody looked."""

    times: tuple[int, ...] | None


inn = Context("inn", glossary={"guest": "Who stays."})


@inn.entity(key="guest")
class Guest(State):
    """Who stays with us."""

    name: Personal[str] = ""

    def decide(self, command: Register) -> Iterable[Registered]:
        return [Registered(command.guest, command.name)]

    def evolve(self, event: Registered) -> "Guest":
        return self.but(name=event.name)


inn.component(of=Guest)(Greeted)


@inn.system
def greet(guest: Changed[Guest]) -> Greeted:
    """Say hello."""
    return Greeted(None)


@inn.projection
def house(event: Registered, rows: Table[Listed]) -> None:
    """Fill the list."""
    rows.put(Listed(event.guest))


@inn.query
def whos_here(rows: Rows[Listed], most: int = 9) -> list[Listed]:
    """Who is in the house now."""
    return list(rows.each())[:most]


@inn.policy
def again(event: Registered) -> Register | None:
    """Nothing follows."""


@inn.process(key="guest")
class Stay(Process):
    """From the first night to the last."""

    def react(self, trigger: Registered) -> Iterable[Register]:
        return []


def spoken() -> Language:
    return language_of(compose([inn]), inn)


def test_its_words_are_what_is_declared_with_what_was_written_of_it() -> None:
    assert [(one.role, one.name, one.meaning, dict(one.parts)) for one in spoken().words] == [
        ("term", "guest", "Who stays.", {}),
        ("entity", "Guest", "Who stays with us.", {"name": "Personal[str]"}),
        (
            "command",
            "Register",
            "Take somebody into the book.",
            {"guest": "str", "name": "Personal[str]", "room": "'north' | 'south'"},
        ),
        ("event", "Registered", "", {"guest": "str", "name": "Personal[str]"}),
        (
            "component",
            "Greeted",
            "How often somebody was greeted; None where nobody looked.",
            {"times": "tuple[int, …] | None"},
        ),
        ("row", "Listed", "Who is in the house.", {"guest": "str"}),
        ("query", "whos_here", "Who is in the house now.", {"most": "int"}),
        ("system", "greet", "Say hello.", {}),
        ("process", "Stay", "From the first night to the last.", {}),
        ("policy", "again", "Nothing follows.", {}),
    ]


def test_its_version_is_that_of_its_words_and_not_of_examples() -> None:
    language = spoken()
    assert spoken().version == language.version
    shown = language.with_examples({("inn", "Registered"): {"guest": "g"}, ("pub", "Guest"): {}})
    assert shown.version == language.version
    assert {word.name for word in shown.words if word.example is not None} == {"Registered"}


@pytest.mark.parametrize(
    "change",
    [
        lambda word: Word(word.name, word.role, "else", word.parts),
        lambda word: Word("else", word.role, word.meaning, word.parts),
        lambda word: Word(word.name, "row", word.meaning, word.parts),
        lambda word: Word(word.name, word.role, word.meaning, {"else": "str"}),
    ],
)
def test_a_word_a_meaning_a_role_and_a_field_make_another_version(change: Callable[[Word], Word]) -> None:
    words = spoken().words
    changed = Language("inn", (*words[:3], change(words[3]), *words[4:]))
    assert changed.version != spoken().version


def test_as_text_it_is_read_by_roles() -> None:
    language = spoken()
    text = language_text(language.with_examples({("inn", "Registered"): {"guest": "g1"}}))
    assert text.startswith(
        f"# inn\n\nVersion {language.version}.\n\n## Terms\n\n- guest: Who stays.\n\n## Ent"
    )
    assert "\n- `Guest`: Who stays with us. (name: Personal[str])\n" in text
    assert '\n- `Registered` (guest: str, name: Personal[str])  \n  `{"guest":"g1"}`\n' in text


def test_a_module_that_is_not_there_is_refused_by_name() -> None:
    composition = compose([inn])
    assert [one.context for one in languages_of(composition)] == ["inn"]
    with pytest.raises(CimError, match="there is no module pub; there are: inn"):
        languages_of(composition, ["pub"])
