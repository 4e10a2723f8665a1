"""``cim import``: the history in a file becomes that of a machine that has none.

It is written into a store of its own beside the machine's, which takes the machine's place when all is
there: an import that is interrupted leaves the machine as it was.
"""

import argparse
import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from nats.aio.client import Client

from cim.adapters.nats.blobs import NatsBlobs
from cim.adapters.nats.lean import ask
from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.cli.archive_file import ArchiveFile, open_archive
from cim.cli.output import print_json, progress, tell
from cim.cli.place import find_machine, run_until_stopped
from cim.contract.codec import BadBody
from cim.contract.envelope import Commit
from cim.contract.stranger import Stranger
from cim.domain.errors import CimError
from cim.leaf.accounts import machine_credentials
from cim.leaf.lock import MachineLock
from cim.leaf.machine import Machine
from cim.leaf.machine_server import machine_server, stores
from cim.leaf.persons import person_keys
from cim.leaf.private import private_folder
from cim.log.archive import ArchiveDamaged, ArchiveReader, Closing
from cim.log.erasure import erased
from cim.log.sealing import persons_in
from cim.ports.keys import KeyStore, PersonErased
from cim.ports.log import Stored

AT_ONCE, BYTES_AT_ONCE = 64, 4 * 1024 * 1024
"""What is under way to the server at one time; it stores commits in the order in which they were sent."""

STAGE = "importing"
KEYS = "keys.json"


@dataclass(frozen=True, slots=True)
class Checked:
    """An archive that was read to its end and found whole; ``missing`` are contents that it does not hold,
    ``keyless`` the persons whose values cannot be opened here."""

    closing: Closing
    missing: list[str]
    keyless: list[str]


def run(given: argparse.Namespace) -> int:
    """Import; the file is checked to its end before anything is written."""
    path, machine = Path(given.file), find_machine(given.machine)
    with open_archive(path) as archive:
        checked = run_until_stopped(_import(machine, archive))
    closing = checked.closing
    if given.json:
        told = {"missing": checked.missing, "keyless": checked.keyless}
        print_json({"file": str(path), **msgspec.to_builtins(closing), **told})
        return 0
    print(f"machine {machine.name}: {closing.commits} commits, {closing.contents} contents from {path}")
    if checked.missing:
        print(f"{len(checked.missing)} contents that the log names are not in it; `cim verify` lists them")
    if checked.keyless:
        print(
            f"the keys of {len(checked.keyless)} persons are not in {person_keys(machine).path}: what is "
            f"theirs stays sealed until they are put there from where the log comes from"
        )
    return 0


async def _import(machine: Machine, archive: ArchiveFile) -> Checked:
    with MachineLock.take(machine.state):
        await _refuse_history(machine)
        checked = _check(archive, person_keys(machine))
        stage = machine.state / STAGE
        shutil.rmtree(stage, ignore_errors=True)
        try:
            staged = replace(machine, folder=stage)
            private_folder(staged.state)
            shutil.copy2(machine.state / KEYS, staged.state / KEYS)
            await _fill(staged, archive, checked)
            _put_in_place(machine, staged)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        return checked


async def _refuse_history(machine: Machine) -> None:
    """Raise :class:`CimError` where the machine's log holds anything; makes its keys if need be."""
    if machine.hosts:
        raise CimError(
            f"{machine.folder} has several hosts: import without [cluster], then move the folders node-2 and "
            f"node-3 of {machine.state} to the hosts of these places"
        )
    async with _server(machine) as client:
        last = await (await NatsLog.open(client)).last()
    if last:
        raise CimError(
            f"machine {machine.name} has a history of {last} commits in {machine.state}: a log is imported "
            f"into a machine that has none; name another folder with --machine"
        )


@asynccontextmanager
async def _server(machine: Machine) -> AsyncIterator[Client]:
    async with (
        machine_server(machine, (), tell) as (started, keys),
        connect(started.url, machine_credentials(keys), "cim import", tell) as client,
    ):
        yield client


def _check(archive: ArchiveFile, keys: KeyStore) -> Checked:
    """Read the whole archive once; raises :class:`ArchiveDamaged`."""
    reader, sequence = ArchiveReader(), 0
    persons, gone = set[str](), set[str]()
    try:
        with progress() as bar:
            for commit in bar.track(reader.commits(archive.lines()), description="checking"):
                sequence += 1
                with suppress(BadBody):  # it stops its entity, by name
                    persons |= persons_in(commit.body)
                    said = erased(commit)
                    gone |= {said.person} if said is not None else set()
                if commit.sequence != sequence:
                    raise ArchiveDamaged(
                        f"line {sequence} holds sequence {commit.sequence}: lines are missing"
                    )
            for digest in bar.track(archive.sizes, description="checking contents"):
                archive.check(digest)
    except ArchiveDamaged as damaged:
        raise ArchiveDamaged(f"{archive.path}: {damaged}. Nothing was imported") from damaged
    closing = reader.closing
    assert closing is not None
    if closing.contents != len(archive.sizes) or not archive.sizes.keys() <= reader.contents.keys():
        raise ArchiveDamaged(
            f"{archive.path}: it was written with {closing.contents} contents and holds "
            f"{len(archive.sizes)}, or others. Nothing was imported"
        )
    missing = [digest for digest in reader.contents if digest not in archive.sizes]
    return Checked(closing, missing, sorted(one for one in persons - gone if not _is_known(keys, one)))


def _is_known(keys: KeyStore, person: str) -> bool:
    """Whether a person has a key here, or is known to have none any more."""
    try:
        return keys.find(person) is not None
    except PersonErased:
        return True


async def _fill(staged: Machine, archive: ArchiveFile, checked: Checked) -> None:
    """Put contents and commits into the staged store, as they stood."""
    async with _server(staged) as client:
        blobs = await NatsBlobs.open(client)
        with progress() as bar:
            for digest in bar.track(archive.sizes, description="contents"):
                await blobs.keep(archive.content(digest), "application/octet-stream")
            task = bar.add_task("commits", total=checked.closing.commits)
            writing = _Writing(client, await NatsLog.open(client))
            for commit in ArchiveReader().commits(archive.lines()):
                await writing.add(commit)
                bar.update(task, completed=commit.sequence)
            await writing.end()


class _Writing:
    """Stores commits at the sequences that they name, many under way at once."""

    def __init__(self, client: Client, log: NatsLog) -> None:
        self._client, self._log = client, log
        self._last: dict[str, int] = {}
        self._batch: list[asyncio.Task[None]] = []
        self._bytes = 0

    async def add(self, commit: Commit) -> None:
        """Send the next commit."""
        if isinstance(commit, Stranger):  # nothing is expected of its subject: what came before it must stand
            await self.end()
            await self._store_stranger(commit)
            self._last[commit.subject] = commit.sequence
            return
        expected = self._last.get(commit.subject, 0)
        self._last[commit.subject] = commit.sequence
        self._batch.append(asyncio.create_task(self._store(commit, expected)))
        self._bytes += len(commit.body)
        if len(self._batch) >= AT_ONCE or self._bytes >= BYTES_AT_ONCE:
            await self.end()

    async def end(self) -> None:
        """Wait until all that was sent is stored."""
        batch, self._batch, self._bytes = self._batch, [], 0
        try:
            await asyncio.gather(*batch)
        finally:
            for task in batch:
                task.cancel()

    async def _store(self, commit: Commit, expected: int) -> None:
        answer = await self._log.attempt(commit, expected)
        if answer != Stored(commit.sequence):
            raise CimError(
                f"{commit.subject} at sequence {commit.sequence} was not stored there ({answer}). "
                f"Nothing was imported: run it again"
            )

    async def _store_stranger(self, message: Stranger) -> None:
        answer = msgspec.json.decode(await ask(self._client, message.subject, message.body))
        if answer.get("seq") != message.sequence:
            raise CimError(f"{message.subject} at sequence {message.sequence} was not stored there: {answer}")


def _put_in_place(machine: Machine, staged: Machine) -> None:
    """The staged stores for the machine's empty ones; between the two steps the machine is an empty one."""
    for ours, theirs in zip(stores(machine), stores(staged), strict=True):
        shutil.rmtree(ours, ignore_errors=True)
        theirs.rename(ours)
