"""The command ``cim``. Only what help needs is imported here: a command's own part comes when it runs."""

import argparse
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from cim.domain.errors import CimError

COMMANDS: dict[str, str] = {
    "demo": "run the documents machine: hand in files, watch them being read on a live page",
    "up": "run a machine: its leaf, its systems and its page",
    "work": "join a running machine as a second process with more modules",
    "send": "send a command to an entity",
    "show": "show entities with their state and components, or processes with what they wait for",
    "rows": "print the rows of a projection, or how far each projection is",
    "ask": "ask a declared query",
    "log": "print the log, a message a line",
    "trace": "show everything that one command led to",
    "waiting": "list what failed, what is stopped and what is yet to be done",
    "release": "pass over the message that stops an entity, by an entry in the log that says why",
    "erase": "make what is personal of one person unreadable for ever, by an entry in the log that says why",
    "diff": "show what changed on an entity between two sequences or times",
    "export": "write the whole log and the contents it names to a file",
    "import": "take the history in a file into a machine that has none",
    "verify": "replay the log from nothing, check its chain, compare with what is stored",
}

MODULES = {"import": "import_log"}
"""Where a command's own part is, if not under its name."""

EPILOG = """A machine is a folder with a machine.toml. Commands find it by --machine, by CIM_MACHINE, in the
folder where you stand or one above; failing these, they take the documents machine of the examples."""


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(
        prog="cim", description="CIM, the Composable Information Machine.", epilog=EPILOG
    )
    top.add_argument("--version", action=_Version, help="print the version")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_AnyOrder)
    made = {
        name: commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        for name, text in COMMANDS.items()
    }
    for name, one in made.items():
        one.add_argument("--machine", metavar="DIR", help="the machine's folder")
        if name not in ("up", "work"):
            one.add_argument("--json", action="store_true", help="print data as JSON, a line each")
    _describe(made)
    _describe_history(made)
    return top


def _describe(made: Mapping[str, argparse.ArgumentParser]) -> None:
    demo = made["demo"]
    demo.add_argument(
        "files", nargs="*", metavar="FILE", help="files to hand in (default: samples that are drawn)"
    )
    demo.add_argument("--exit", action="store_true", help="end when all is read, with a summary")
    demo.add_argument("--fresh", action="store_true", help="forget everything of this machine first")
    demo.add_argument("--port", type=int, help="the page's port (default: 8600, or the next free one)")
    up = made["up"]
    _take_machine(up)
    up.add_argument("--port", type=int, help="the page's port (default: as machine.toml says)")
    work = made["work"]
    _take_machine(work)
    work.add_argument(
        "--module",
        action="append",
        default=[],
        metavar="NAME",
        help="a module to run: in the machine's folder, installed, or a path; may be repeated",
    )
    work.add_argument("--exit", action="store_true", help="end when nothing is left to do")
    send = made["send"]
    send.add_argument("message", metavar="CONTEXT.Command", help="such as documents.Receive")
    send.add_argument(
        "fields", nargs="*", metavar="FIELD=VALUE", help="a field; FIELD=@FILE takes a file's content"
    )
    send.add_argument("--id", help="the command's id: the same id again has no second effect")
    send.add_argument(
        "--patience", type=float, default=10.0, metavar="S", help="seconds to wait for an answer"
    )
    show = made["show"]
    show.add_argument("entity", metavar="CONTEXT.Entity", help="such as documents.Document")
    show.add_argument("id", nargs="?", metavar="ID", help="one entity (default: all of them)")
    show.add_argument("--at", metavar="SEQ|TIME", help="as of this sequence of the log, or this time")
    release = made["release"]
    release.add_argument("subject", metavar="SUBJECT", help="as `cim waiting` prints it")
    release.add_argument(
        "--sequence", type=int, required=True, metavar="SEQ", help="where the message stands in the log"
    )
    release.add_argument("--reason", required=True, metavar="TEXT", help="why it may be passed over")
    erase = made["erase"]
    erase.add_argument("entity", metavar="CONTEXT.Entity", help="what the person is, such as shop.Customer")
    erase.add_argument("id", metavar="ID", help="the person")
    erase.add_argument(
        "--reason", required=True, metavar="TEXT", help="why; it stays readable, so name nobody in it"
    )
    rows = made["rows"]
    rows.add_argument("projection", nargs="?", metavar="CONTEXT.projection", help="such as orders.backlog")
    rows.add_argument("key", nargs="*", metavar="KEY", help="what names the row (default: all rows)")
    ask = made["ask"]
    ask.add_argument("query", metavar="CONTEXT.query", help="such as library.overdue")
    ask.add_argument("fields", nargs="*", metavar="FIELD=VALUE", help="a part of the question")
    for one in (rows, ask):
        one.add_argument(
            "--reached", type=int, metavar="SEQ", help="wait until the rows hold this sequence of the log"
        )
        one.add_argument(
            "--patience", type=float, default=10.0, metavar="S", help="seconds to wait for the sequence"
        )
    made["log"].add_argument("--follow", action="store_true", help="go on with what comes")
    made["trace"].add_argument(
        "correlation", metavar="CORRELATION", help="as `cim send` and `cim log` print it"
    )


def _describe_history(made: Mapping[str, argparse.ArgumentParser]) -> None:
    diff = made["diff"]
    diff.add_argument("entity", metavar="CONTEXT.Entity", help="such as documents.Document")
    diff.add_argument("id", metavar="ID", help="the entity")
    diff.add_argument("--from", dest="start", required=True, metavar="SEQ|TIME", help="as it was then")
    diff.add_argument("--to", dest="end", metavar="SEQ|TIME", help="as it was then (default: as it is now)")
    made["export"].add_argument(
        "file", metavar="FILE", help=".zip: the log and all contents; .jsonl: the log's lines alone"
    )
    made["import"].add_argument("file", metavar="FILE", help="as `cim export` wrote it")


def _take_machine(command: argparse.ArgumentParser) -> None:
    """The folder as a word of its own, too; where it is left out, --machine must stay what it is."""
    command.add_argument(
        "machine", nargs="?", metavar="MACHINE", help="the machine's folder", default=argparse.SUPPRESS
    )


class _AnyOrder(argparse.ArgumentParser):
    """Takes options between the words, too: ``cim send documents.Receive --json title=Offer``."""

    _inside = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._inside:
            return super().parse_known_args(args, namespace)
        self._inside = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._inside = False


class _Version(argparse.Action):
    """Prints the version, looked up only when it is asked for: reading package metadata takes its time."""

    def __init__(self, option_strings: Sequence[str], dest: str, **given: Any) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS, **given)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"cim {version('composable-information-machine')}")
        parser.exit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 1 for a refusal or an error, 130 when interrupted.

    Raises :class:`SystemExit`: 2 for words that make no command, 143 when SIGTERM ended it.
    """
    given = parser().parse_args(arguments)
    if os.environ.get("CIM_MACHINE") and not getattr(given, "machine", None):
        given.machine = os.environ["CIM_MACHINE"]
    module = importlib.import_module(f"cim.cli.{MODULES.get(given.command, given.command)}")
    try:
        return int(module.run(given))
    except CimError as error:
        print(f"cim {given.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output went away (`cim log | head`): nothing more to say to them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
