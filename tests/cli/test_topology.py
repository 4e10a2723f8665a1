"""``cim topology``: the graph of a machine from its modules, with nothing started."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cim.cli import main
from cim.testing.processes import Place

ROOT = Path(__file__).parents[2]
DOCUMENTS = str(ROOT / "examples" / "documents")

TEXT = """\
machine documents

module documents: Paper in, knowledge out: documents are received, read and judged.

  entity Document: A paper or PDF that someone sent us.
    takes Receive
    takes Correct    from view detail
    emits Received
    emits Corrected  to component Kind, component Facts
    carries Preview, Text, Kind, Sentiment, Facts

  component  of        → by        → read by
  Preview    Document  → preview   → board, detail
  Text       Document  → read      → classify, feel, find, board, detail
  Kind       Document  → classify  → board, detail
  Sentiment  Document  → feel      → board, detail
  Facts      Document  → find      → board, detail

  system    reads        → needs            → writes
  preview   on Document  → Blobs, Pdf       → Preview
  read      on Document  → Blobs, Pdf, Ocr  → Text
  classify  on Text      → Embedding        → Kind
  feel      on Text      → Sentiment        → Sentiment
  find      on Text      → Blobs            → Facts

  view    shows                                                 → sends
  board   each Document, Preview, Text, Kind, Facts, Sentiment
  detail  one Document, Preview, Text, Kind, Facts, Sentiment   → Correct

capability  bound to                           needs
Blobs       the leaf
Pdf         cim.providers.pdfium:Pdfium
Ocr         cim.providers.tesseract:Tesseract
Embedding   cim.providers.minilm:MiniLM
Sentiment   cim.providers.ridge:Ridge          Embedding
"""

LANGUAGES = """\
machine documents

module languages: A module that came later: which language a document is written in.

  component  of                  → by    → read by
  Language   documents.Document  → tell  → documents.board, documents.detail

  system  reads              → writes
  tell    on documents.Text  → Language
"""

Out = Callable[..., str]


@pytest.fixture
def out(capsys: pytest.CaptureFixture[str]) -> Out:
    """``out("--format", "json")``: what the command prints of the documents machine."""

    def run(*arguments: str) -> str:
        assert main(["topology", "--machine", DOCUMENTS, *arguments]) == 0
        return capsys.readouterr().out

    return run


def test_the_documents_machine_as_text(out: Out) -> None:
    assert out() == TEXT


def test_a_module_that_comes_later_is_shown_with_what_it_touches(out: Out) -> None:
    assert out("--module", "languages") == LANGUAGES


def test_the_data_is_one_line_under_either_name(out: Out) -> None:
    told = out("--json")
    assert told == out("--format", "json")
    data = json.loads(told)
    assert list(data) == ["machine", "version", "nodes", "edges", "notes"]
    assert (data["machine"], data["version"], data["notes"]) == ("documents", 1, [])
    text = "component documents.Text of documents.Document"
    assert {
        "id": text,
        "kind": "component",
        "name": "documents.Text",
        "owner": "documents",
        "doc": "What the pages say, as read.",
        "of": "entity documents.Document",
        "here": True,
    } in data["nodes"]
    assert {"kind": "reads", "from": "system documents.find", "to": text, "by": "changed"} in data["edges"]
    provider = "provider cim.providers.ridge:Ridge of Sentiment"
    assert {"kind": "bound", "from": "capability Sentiment", "to": provider, "by": None} in data["edges"]
    assert {"kind": "needs", "from": provider, "to": "capability Embedding", "by": None} in data["edges"]


def test_the_picture_in_the_guide_is_what_the_command_prints(out: Out) -> None:
    guide = (ROOT / "docs" / "module.md").read_text()
    (picture,) = re.findall(r"^```mermaid\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    assert picture == out("--format", "mermaid")


LOOK = """\
import socket, sys
import cim.cli
from cim.providers.minilm import MiniLM
from cim.providers.ridge import Ridge

def refused(*_, **__):
    raise SystemExit("it was made, or asked")

MiniLM.__init__.__code__ = Ridge.__init__.__code__ = refused.__code__
socket.socket.connect = refused
cim.cli.main(["topology", "--machine", sys.argv[1]])
"""
"""A run of the command that ends where a provider is made or a server asked."""


def test_no_provider_is_made_and_no_server_is_asked() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK, DOCUMENTS], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, TEXT), done.stderr


MODULE = '''"""Notes and their mood."""

from collections.abc import Iterable
from typing import Protocol

from cim import Capability, Changed, Command, Component, Context, Event, State

notes = Context("notes")


class Write(Command):
    note: str


class Written(Event):
    note: str


@notes.entity(key="note")
class Note(State):
    text: str = ""

    def decide(self, command: Write) -> Iterable[Written]:
        return [Written(command.note)]

    def evolve(self, event: Written) -> "Note":
        return self


@notes.component(of=Note)
class Mood(Component):
    label: str


@notes.component(of=Note)
class Answer(Component):
    text: str


class Pen(Capability, Protocol):
    """Writes."""


class Quill:
    """A feather."""


@notes.system
def answer(mood: Changed[Mood], pen: Pen) -> Answer:
    return Answer("")
'''


@pytest.fixture
def desk(new_machine: Place) -> Place:
    """A machine whose system waits for a component that nothing writes, and needs a pen."""
    new_machine.folder.mkdir()
    (new_machine.folder / "notes.py").write_text(MODULE)
    return new_machine


def settle(desk: Place, providers: str) -> None:
    lines = f'name = "desk"\nmodules = ["notes"]\nworkers = 1\n[providers]\n{providers}'
    (desk.folder / "machine.toml").write_text(lines)


WAITS = (
    "notes.answer cannot run on anything new: it waits for notes.Mood of notes.Note, "
    "which nothing here writes"
)


def test_what_can_never_run_is_told_by_name_here_and_at_the_start(desk: Place) -> None:
    settle(desk, 'Pen = "notes:Quill"\n')
    done = desk.cim("topology")
    assert done.code == 0, done.err
    assert f"\nnote: {WAITS}\n" in done.out
    assert not desk.state.exists()
    running = desk.up()
    assert WAITS in " ".join(running.err.split())


def test_what_cannot_start_has_no_topology(desk: Place) -> None:
    settle(desk, "")
    done = desk.cim("topology")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("cim topology: notes.answer needs Pen and nothing is bound to it")
    settle(desk, 'Pen = "notes:Quill"\n')
    (desk.folder / "notes.py").write_text(MODULE.replace("Changed[Mood]", "Changed[Answer]"))
    done = desk.cim("topology")
    assert (done.code, done.out) == (1, "")
    assert "systems wake each other in a circle: notes.answer → notes.answer" in done.err
    done = desk.cim("topology", "--module", "nowhere")
    assert done.code == 1
    assert "module nowhere is neither in" in done.err
