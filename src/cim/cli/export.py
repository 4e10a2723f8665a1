"""``cim export``: the whole log, with the contents that it names, in one file."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cim.adapters.nats.blobs import NatsBlobs
from cim.adapters.system import SystemClock
from cim.cli.archive_file import LOG, Packer, draft_of, with_contents
from cim.cli.output import print_json, progress, tell
from cim.cli.place import find_machine, open_log, reach, run_until_stopped
from cim.domain.errors import CimError
from cim.leaf.machine import Machine
from cim.log.archive import Closing, History, closing_line, commit_line, contents_of
from cim.ports.blobs import BlobMissing
from cim.ports.clock import stamp
from cim.ports.log import Log


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: how many commits and contents, the running digest, and what was not to be had."""

    commits: int
    contents: int
    digest: str
    missing: list[str]


def run(given: argparse.Namespace) -> int:
    """Write the file; 1 where a content that the log names was not to be had."""
    path = Path(given.file)
    with_contents(path)
    if path.exists():
        raise CimError(f"{path} is there already: name a new file, or remove that one first")
    done = run_until_stopped(_export(find_machine(given.machine), path))
    if given.json:
        print_json({"file": str(path), **{name: getattr(done, name) for name in done.__slots__}})
    else:
        print(f"{path}: {done.commits} commits, {done.contents} contents, digest {done.digest}")
    return 1 if done.missing else 0


async def _export(machine: Machine, path: Path) -> Exported:
    with ExitStack() as stack:
        target = stack.enter_context(draft_of(path))
        lines = target
        if with_contents(path):
            lines = stack.enter_context(_spool(target))
        async with reach(machine) as (client, _running):
            with lines.open("wb") as file:
                history, named = await _write_log(await open_log(client), file)
                packer, missing = None, list[str]()
                if lines != target:
                    packer = Packer(target)
                    stack.callback(packer.abandon)
                    missing = await _pack(await NatsBlobs.open(client), packer, named)
                contents = packer.contents if packer else 0
                closing = Closing(history.commits, history.digest, contents)
                file.write(closing_line(closing, machine.source, stamp(SystemClock())))
        if packer is not None:
            packer.close_with(lines)
        # The draft becomes the file when this block ends.
        return Exported(history.commits, contents, history.digest, missing)


@contextmanager
def _spool(target: Path) -> Iterator[Path]:
    """A file for the lines until the zip is closed with them: only then is the last line known."""
    lines = target.with_name(f"{target.name}.{LOG}")
    try:
        lines.touch(mode=0o600)
        yield lines
    finally:
        lines.unlink(missing_ok=True)


async def _write_log(log: Log, file: IO[bytes]) -> tuple[History, list[str]]:
    """Every commit that stands now as a line; the digests of the contents that they name, in their order."""
    history, named, last = History(), dict[str, None](), await log.last()
    with progress() as bar:
        task = bar.add_task("commits", total=last)
        async for commit in log.read(">"):
            if commit.sequence > last:
                break
            file.write(commit_line(commit, history))
            named.update(dict.fromkeys(contents_of(commit)))
            bar.update(task, completed=commit.sequence)
    return history, list(named)


async def _pack(blobs: NatsBlobs, packer: Packer, named: list[str]) -> list[str]:
    """Put each content in; returns those that are missing or were changed in the store, by digest."""
    missing: list[str] = []
    with progress() as bar:
        for digest in bar.track(named, description="contents"):
            try:
                packer.add(digest, await blobs.load(digest))
            except BlobMissing as lost:
                tell(f"not exported: {lost}")
                missing.append(digest)
    return missing
