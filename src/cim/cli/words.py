"""What each command takes: its words and options."""

from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable, Mapping


def _demo(command: ArgumentParser) -> None:
    command.add_argument(
        "files", nargs="*", metavar="FILE", help="files to hand in (default: samples that are drawn)"
    )
    command.add_argument("--exit", action="store_true", help="end when all is read, with a summary")
    command.add_argument("--fresh", action="store_true", help="forget everything of this machine first")
    command.add_argument("--port", type=int, help="the page's port (default: 8600, or the next free one)")


def _up(command: ArgumentParser) -> None:
    _take_machine(command)
    command.add_argument("--port", type=int, help="the page's port (default: as machine.toml says)")
    command.add_argument(
        "--as", dest="host", metavar="NAME", help="which host of [cluster] this is (default: by address)"
    )
    command.add_argument("--node", action="store_true", help="run this host's node only, never the leaf")


def _work(command: ArgumentParser) -> None:
    _take_machine(command)
    command.add_argument(
        "--module",
        action="append",
        default=[],
        metavar="NAME",
        help="a module to run: in the machine's folder, installed, or a path; may be repeated",
    )
    command.add_argument(
        "--systems", metavar="NAME,…", help="run these systems only, such as documents.read,documents.kind"
    )
    command.add_argument("--exit", action="store_true", help="end when nothing is left to do")


def _provide(command: ArgumentParser) -> None:
    command.add_argument(
        "contract",
        metavar="CONTRACT[=package.module:Class]",
        help="the contract, and what provides it (default: as [provided.BINDING] in machine.toml says)",
    )
    command.add_argument("--binding", metavar="NAME", help="which one, where the contract has several")
    command.add_argument(
        "--at-once", type=int, default=0, metavar="N", help="calls at work at once (default: one a core)"
    )
    command.add_argument(
        "--module", action="append", default=[], metavar="NAME", help="a module that is not in machine.toml"
    )


def _send(command: ArgumentParser) -> None:
    command.add_argument("message", metavar="CONTEXT.Command", help="such as documents.Receive")
    command.add_argument(
        "fields", nargs="*", metavar="FIELD=VALUE", help="a field; FIELD=@FILE takes a file's content"
    )
    command.add_argument("--id", help="the command's id: the same id again has no second effect")
    _take_patience(command, "seconds to wait for an answer")


def _show(command: ArgumentParser) -> None:
    command.add_argument("entity", metavar="CONTEXT.Entity", help="such as documents.Document")
    command.add_argument("id", nargs="?", metavar="ID", help="one entity (default: all of them)")
    command.add_argument("--at", metavar="SEQ|TIME", help="as of this sequence of the log, or this time")
    command.add_argument(
        "--history",
        metavar="COMPONENT",
        help="every value of one component of the entity, such as Text: who wrote or corrected it, from what",
    )


def _rows(command: ArgumentParser) -> None:
    command.add_argument("projection", nargs="?", metavar="CONTEXT.projection", help="such as orders.backlog")
    command.add_argument("key", nargs="*", metavar="KEY", help="what names the row (default: all rows)")
    _take_sequence(command)


def _ask(command: ArgumentParser) -> None:
    command.add_argument("query", metavar="CONTEXT.query", help="such as library.overdue")
    command.add_argument("fields", nargs="*", metavar="FIELD=VALUE", help="a part of the question")
    _take_sequence(command)


def _watch(command: ArgumentParser) -> None:
    command.add_argument("entity", metavar="CONTEXT.Entity", help="such as documents.Document")
    _take_several(command, "--with", "having", "only those that carry it")
    _take_several(command, "--without", "without", "only those that do not carry it")
    _take_several(
        command, "--where", "where", "only those of which it holds: 'total > 100', 'Kind.kind == invoice'"
    )
    _take_several(
        command, "--show", "show", "show this value (default: the state and all that is asked about)"
    )
    command.add_argument("--once", action="store_true", help="end when all that is there now is shown")


def _take_several(command: ArgumentParser, option: str, dest: str, what: str) -> None:
    metavar = "CONDITION" if dest == "where" else "COMPONENT"
    command.add_argument(
        option, dest=dest, action="append", default=[], metavar=metavar, help=f"{what}; may be repeated"
    )


def _log(command: ArgumentParser) -> None:
    command.add_argument("--follow", action="store_true", help="go on with what comes")


def _language(command: ArgumentParser) -> None:
    command.add_argument("module", nargs="*", metavar="MODULE", help="of these modules alone")
    command.add_argument(
        "--examples", action="store_true", help="with the newest one of each word that stands in the log"
    )


def _topology(command: ArgumentParser) -> None:
    command.add_argument(
        "--format",
        choices=("text", "mermaid", "json"),
        default="text",
        help="text to read, a Mermaid flowchart, or data (default: text)",
    )
    command.add_argument(
        "--module",
        action="append",
        default=[],
        metavar="NAME",
        help="this module and what it touches, also one that is not in machine.toml; may be repeated",
    )


def _mcp(command: ArgumentParser) -> None:
    command.add_argument("--read-only", action="store_true", help="offer queries alone, and no command")
    command.add_argument(
        "--http",
        type=int,
        metavar="PORT",
        help="by HTTP on loopback instead, to who has the token in .cim/mcp.token (0: any free port)",
    )
    command.add_argument(
        "--tool",
        action="append",
        default=[],
        metavar="NAME",
        help="offer this one alone (or several so)",
    )


def _agent(command: ArgumentParser) -> None:
    command.add_argument(
        "what",
        choices=("list", "runs", "show", "replay", "fork", "activate", "suspend", "retire", "prompt"),
        help="list: the agents; runs: what they did; show: a run step by step; replay: make one again from "
        "the log, with no call; fork: make one anew from a step on, to see what would have been; activate, "
        "suspend, retire: whether one may work; prompt: what it is told",
    )
    command.add_argument(
        "name",
        nargs="?",
        default="",
        help="an agent (or all, to suspend them), or a run by how its id begins",
    )
    command.add_argument("--reason", default="", help="why, for the log")
    command.add_argument("--text", help="a prompt, or @FILE; an empty one for what its code says")
    command.add_argument("--at", metavar="STEP", help="fork: the first step that is made anew, such as 0.2")
    command.add_argument(
        "--model", metavar="NAME", help="fork: another entry of [agents], or a model by pydantic-ai's name"
    )


def _trace(command: ArgumentParser) -> None:
    command.add_argument("correlation", metavar="CORRELATION", help="as `cim send` and `cim log` print it")


def _release(command: ArgumentParser) -> None:
    command.add_argument("subject", metavar="SUBJECT", help="as `cim waiting` prints it")
    command.add_argument(
        "--sequence", type=int, required=True, metavar="SEQ", help="where the message stands in the log"
    )
    command.add_argument("--reason", required=True, metavar="TEXT", help="why it may be passed over")


def _retry(command: ArgumentParser) -> None:
    command.add_argument("system", metavar="MODULE.system", help="such as documents.read")
    command.add_argument("--entity", metavar="ID", help="the entity on which it failed")
    command.add_argument("--all", action="store_true", help="all entities on which it failed")
    command.add_argument("--reason", required=True, metavar="TEXT", help="why it may end otherwise this time")


def _approve(command: ArgumentParser) -> None:
    _take_asking(command)
    command.add_argument("--reason", default="", help="why, for the log")


def _deny(command: ArgumentParser) -> None:
    _take_asking(command)
    command.add_argument("--reason", required=True, help="why not: the agent is told")


def _take_asking(command: ArgumentParser) -> None:
    command.add_argument("agent", help="the agent's full name: documents.clerk")
    command.add_argument("--entity", required=True, metavar="ID", help="the entity on which it asks")


def _rederive(command: ArgumentParser) -> None:
    command.add_argument("system", metavar="MODULE.system", help="such as documents.read")
    _take_machine(command)
    command.add_argument(
        "--entity", action="append", default=[], metavar="ID", help="this entity only; may be repeated"
    )
    command.add_argument("--limit", type=int, metavar="N", help="so many entities at the most")
    command.add_argument(
        "--replace",
        action="store_true",
        help="write what was made anew in the place of the old, each after it was shown",
    )
    command.add_argument(
        "--module", action="append", default=[], metavar="NAME", help="a module that is not in machine.toml"
    )


def _erase(command: ArgumentParser) -> None:
    command.add_argument("entity", metavar="CONTEXT.Entity", help="what the person is, such as shop.Customer")
    command.add_argument("id", metavar="ID", help="the person")
    command.add_argument(
        "--reason", required=True, metavar="TEXT", help="why; it stays readable, so name nobody in it"
    )


def _diff(command: ArgumentParser) -> None:
    command.add_argument("entity", metavar="CONTEXT.Entity", help="such as documents.Document")
    command.add_argument("id", metavar="ID", help="the entity")
    command.add_argument("--from", dest="start", required=True, metavar="SEQ|TIME", help="as it was then")
    command.add_argument(
        "--to", dest="end", metavar="SEQ|TIME", help="as it was then (default: as it is now)"
    )


def _export(command: ArgumentParser) -> None:
    command.add_argument(
        "file", metavar="FILE", help=".zip: the log and all contents; .jsonl: the log's lines alone"
    )


def _import(command: ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", help="as `cim export` wrote it")


def _take_machine(command: ArgumentParser) -> None:
    """The folder as a word of its own, too; where it is left out, --machine must stay what it is."""
    command.add_argument(
        "machine", nargs="?", metavar="MACHINE", help="the machine's folder", default=SUPPRESS
    )


def _take_sequence(command: ArgumentParser) -> None:
    command.add_argument(
        "--reached", type=int, metavar="SEQ", help="wait until the rows hold this sequence of the log"
    )
    _take_patience(command, "seconds to wait for the sequence")


def _take_patience(command: ArgumentParser, what: str) -> None:
    command.add_argument("--patience", type=float, default=10.0, metavar="S", help=what)


WORDS: Mapping[str, Callable[[ArgumentParser], None]] = {
    "demo": _demo,
    "up": _up,
    "work": _work,
    "provide": _provide,
    "send": _send,
    "show": _show,
    "rows": _rows,
    "ask": _ask,
    "watch": _watch,
    "agent": _agent,
    "mcp": _mcp,
    "log": _log,
    "language": _language,
    "topology": _topology,
    "trace": _trace,
    "release": _release,
    "retry": _retry,
    "approve": _approve,
    "deny": _deny,
    "rederive": _rederive,
    "erase": _erase,
    "diff": _diff,
    "export": _export,
    "import": _import,
}
"""By the command; ``waiting`` and ``verify`` take nothing but what every command takes."""
