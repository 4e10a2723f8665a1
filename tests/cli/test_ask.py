"""``cim ask`` and questions over NATS: with a leaf that runs, without one, and with a module that joined."""

import asyncio
import base64
from http.cookiejar import CookieJar
from typing import Any
from urllib.request import HTTPCookieProcessor, build_opener

import msgspec
import pytest

from cim.adapters.nats.link import connect
from cim.adapters.system import SystemClock
from cim.domain.errors import CimError
from cim.doors.asker import Unanswered, ask_query
from cim.leaf.accounts import Credentials
from cim.testing.processes import Place

MODULE = '''"""Notes, and how many each author wrote."""

from collections.abc import Iterable
from datetime import date

from cim import Command, Context, Event, Key, Row, Rows, State, Table

notes = Context("notes")


class Write(Command):
    note: str
    author: str
    day: date


class Written(Event):
    note: str
    author: str
    day: date


@notes.entity(key="note")
class Note(State):
    author: str = ""

    def decide(self, command: Write) -> Iterable[Written]:
        return [Written(command.note, command.author, command.day)]

    def evolve(self, event: Written) -> "Note":
        return self.but(author=event.author)


class Author(Row):
    author: Key[str]
    notes: int
    last: date


@notes.projection
def authors(event: Written, rows: Table[Author]) -> None:
    before = rows.get(event.author)
    rows.put(Author(event.author, 1 + (before.notes if before else 0), event.day))


@notes.query
def silent(since: date, authors: Rows[Author], least: int = 1) -> list[Author]:
    """Authors that wrote nothing since then."""
    return [one for one in authors.each() if one.last < since and one.notes >= least]
'''

LATE = '''"""A module that only asks."""

from cim import Context, Rows
from notes import Author

late = Context("late")


@late.query
def total(authors: Rows[Author]) -> int:
    return sum(one.notes for one in authors.each())
'''


@pytest.fixture
def desk(new_machine: Place) -> Place:
    """A machine with the module of notes; nothing runs on it."""
    new_machine.folder.mkdir()
    (new_machine.folder / "machine.toml").write_text('name = "desk"\nmodules = ["notes"]\nworkers = 1\n')
    (new_machine.folder / "notes.py").write_text(MODULE)
    return new_machine


def write(desk: Place, note: str, author: str, day: str) -> int:
    done = desk.cim("send", "notes.Write", f"note={note}", f"author={author}", f"day={day}", "--json")
    assert done.code == 0, done.err
    return int(done.data[0]["sequence"])


def ask(desk: Place, name: str, **question: Any) -> dict[str, Any]:
    """One question over NATS, as any program of the machine asks it."""
    address = desk.address

    async def asking() -> dict[str, Any]:
        user = Credentials(address.jwt, address.seed)
        async with connect(address.url, user, "test") as client:
            return dict(await ask_query(client, SystemClock(), name, question, "test", patience=2.0))

    return asyncio.run(asking())


def test_a_declared_query_is_answered_with_a_leaf_and_without(desk: Place) -> None:
    write(desk, "n1", "Ada", "2026-01-02")
    without = desk.cim("ask", "notes.silent", "since=2026-02-01", "--json")
    ada = {"author": "Ada", "notes": 1, "last": "2026-01-02"}
    shape = {"answer": [ada], "sequence": 1, "last": 1, "behind": 0, "stopped": None, "anew": None}
    assert (without.data, without.err) == ([shape], "")

    desk.up()
    for number in range(2, 6):  # who waits for what was written reads it, each time
        sequence = write(desk, f"n{number}", "Ada", f"2026-01-0{number}")
        done = desk.cim("ask", "notes.silent", "since=2026-02-01", "--reached", str(sequence), "--json")
        assert done.data[0]["answer"][0]["notes"] == number, done.err
        rows = ask(desk, "notes.authors", key=["Ada"], reached=sequence)
        assert rows["rows"] == [{"author": "Ada", "notes": number, "last": f"2026-01-0{number}"}]
    said = desk.cim("ask", "notes.silent", "since=2026-02-01", "least=2")
    assert said.out.split() == ["author", "notes", "last", "Ada", "5", "2026-01-05"]
    assert desk.cim("ask", "notes.silent", "since=2026-02-01", "least=6").out == "none\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("notes.lost",), "no module here declares the query notes.lost; there are: notes.silent"),
        (("notes.authors",), "notes.authors is a projection, which answers with its rows: `cim rows notes.a"),
        (("notes.silent",), "notes.silent: Object missing required field `since`"),
        (("notes.silent", "since=soon"), "notes.silent: Invalid RFC3339"),
        (("notes.silent", "since=2026-01-01", "until=now"), "unknown field `until`"),
        (
            ("notes.silent", "since=2026-01-01", "--reached", "9", "--patience", "0.1"),
            "notes.authors is at 0 and not at 9, the log ends at 0: not within 0.1 s",
        ),
    ],
)
def test_what_is_wrong_is_told_by_name(desk: Place, words: tuple[str, ...], said: str) -> None:
    done = desk.cim("ask", *words)
    assert (done.code, done.out) == (1, "")
    assert said in done.err


def test_a_module_that_joins_answers_for_itself(desk: Place) -> None:
    (desk.folder / "late.py").write_text(LATE)
    desk.up()
    sequence = write(desk, "n1", "Ada", "2026-01-02")
    with pytest.raises(Unanswered, match=r"late\.total: nobody answers it; start a leaf with `cim up`"):
        ask(desk, "late.total")
    desk.start("work", "--module", "late").prints("joined machine desk with late.total")
    assert ask(desk, "late.total", reached=sequence)["answer"] == 1
    with pytest.raises(CimError, match=r"no query late\.more here; there are: late\.total, notes\.authors"):
        ask(desk, "late.more")


def test_a_slow_query_of_a_running_leaf_holds_up_nothing(desk: Place) -> None:
    slow = MODULE + (
        "\n\n@notes.query\ndef endless(authors: Rows[Author]) -> int:\n"
        "    while True:\n        list(authors.each())\n"
    )
    (desk.folder / "notes.py").write_text(slow)
    (desk.folder / "machine.toml").write_text(
        'name = "desk"\nmodules = ["notes"]\nworkers = 1\n[limits]\nquery_seconds = 1.0\n'
    )
    desk.up()
    write(desk, "n1", "Ada", "2026-01-02")
    asking = desk.start("ask", "notes.endless", "--json")
    sequence = write(desk, "n2", "Ada", "2026-01-02")
    assert ask(desk, "notes.authors", reached=sequence)["rows"][0]["notes"] == 2
    done = asking.end()
    assert (done.code, "notes.endless was not answered in 1 s" in done.err) == (1, True), done.err


def test_a_page_may_not_ask_rows_or_declared_queries(desk: Place) -> None:
    """Its token names the queries of its views, none here; the server refuses all others."""
    desk.up()
    cookies = CookieJar()
    with build_opener(HTTPCookieProcessor(cookies)).open(desk.address.page, timeout=10):
        (cookie,) = cookies
    claims = msgspec.json.decode(base64.urlsafe_b64decode((cookie.value or "").split(".")[1] + "=="))
    assert claims["nats"]["pub"] == {"deny": [">"]}
