"""The command ``cim``. Only what help needs is imported here: a command's own part comes when it runs."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from cim.cli.words import WORDS
from cim.domain.errors import CimError

COMMANDS: dict[str, str] = {
    "demo": "run the documents machine: hand in files, watch them being read on a live page",
    "up": "run a machine: its leaf, its systems and its page",
    "keys": "make the keys by which the hosts of a cluster know each other",
    "work": "join a running machine as a second process with more modules",
    "provide": "provide a contract over NATS as one of its instances",
    "providers": "list who provides what over NATS, since when, and what they have to do",
    "send": "send a command to an entity",
    "show": "show entities with their state and components, or processes with what they wait for",
    "rows": "print the rows of a projection, or how far each projection is",
    "ask": "ask a declared query",
    "watch": "show the entities that a question asks for, then what becomes of them",
    "mcp": "offer a running machine to clients of the Model Context Protocol, by stdin and stdout or by HTTP",
    "agent": "list agents and their runs, show, replay or fork one, say whether an agent may work",
    "log": "print the log, a message a line",
    "topology": "show what a machine is made of and how it hangs together, from its modules alone",
    "language": "print the words of a machine's modules: what each means, its fields, an example of it",
    "trace": "show everything that one command led to",
    "waiting": "list what failed, what is stopped and what is yet to be done",
    "release": "pass over the message that stops an entity, by an entry in the log that says why",
    "retry": "let failed runs of a system be made again, by an entry in the log that says why",
    "approve": "let an agent do what it asks a person about, by an entry in the log",
    "deny": "do not let an agent do what it asks a person about, by an entry in the log that says why",
    "rederive": "make anew what a system wrote by other code, show what differs, replace it if that is said",
    "erase": "make what is personal of one person unreadable for ever, by an entry in the log that says why",
    "diff": "show what changed on an entity between two sequences or times",
    "export": "write the whole log and the contents it names to a file",
    "import": "take the history in a file into a machine that has none",
    "verify": "replay the log from nothing, check its chain, compare with what is stored",
}

MODULES = {"import": "import_log", "approve": "answer", "deny": "answer"}
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
        if name not in ("up", "work", "keys", "provide", "mcp"):
            one.add_argument("--json", action="store_true", help="print data as JSON, a line each")
        WORDS.get(name, _no_words)(one)
    return top


def _no_words(command: argparse.ArgumentParser) -> None:
    """What takes none of its own."""


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
