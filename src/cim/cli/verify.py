"""``cim verify``: the log replayed from nothing, its chain checked, compared with what is stored."""

import argparse
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
from nats.aio.client import Client

from cim.adapters.nats.blobs import NatsBlobs
from cim.adapters.nats.lean import ask
from cim.cli.output import print_json, progress
from cim.cli.place import find_machine, open_log, reach, run_until_stopped
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.envelope import Commit
from cim.contract.subjects import ERASURES, query
from cim.leaf.heads import KeptHeads, read_heads
from cim.leaf.machine import Machine, load_contexts
from cim.leaf.persons import person_keys, reading
from cim.log.archive import contents_of
from cim.log.chain import BrokenChain, Chains
from cim.log.erasure import erased
from cim.log.release import released
from cim.log.together import Together
from cim.ports.blobs import BlobMissing
from cim.ports.keys import PersonErased
from cim.ports.log import Log
from cim.world.world import World


@dataclass(slots=True)
class Verdict:
    """What was found: how much was checked, and every fault by name. ``world`` is the digest of all that the
    log leads to: two machines with the same log hold the same world."""

    commits: int = 0
    entities: int = 0
    blobs: int = 0
    world: str = ""
    compared: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def run(given: argparse.Namespace) -> int:
    """Verify; 1 where a fault was found."""
    verdict = run_until_stopped(_verify(find_machine(given.machine)))
    if given.json:
        print_json({"sound": not verdict.faults, **msgspec.to_builtins(verdict)})
    else:
        print(f"{verdict.commits} commits of {verdict.entities} entities, {verdict.blobs} contents checked")
        print(f"the world that it leads to: {verdict.world}")
        print(f"compared with: {', '.join(verdict.compared) or 'nothing stored yet'}")
        print("\n".join(f"FAULT {fault}" for fault in verdict.faults) or "sound: no fault found")
    return 1 if verdict.faults else 0


async def _verify(machine: Machine) -> Verdict:
    composition = compose(load_contexts(machine, machine.modules))
    async with reach(machine) as (client, running):
        told = await _told(client) if running is not None else None
        # The heads are read before the log, so that what comes in meanwhile is not held against them.
        kept = read_heads(machine.state)
        log = await open_log(client)
        world = World(composition, sealing=await reading(machine, log))
        replay = await _replay(log, world, kept, told)
        replay.verdict.faults += await _kept_keys(log, machine)
        await _check_blobs(await NatsBlobs.open(client), replay)
        return replay.verdict


@dataclass(slots=True)
class Replay:
    """A history on its way through: the world it makes, and what is compared at which sequence.

    ``met`` is the newest sequence where the history was as a head says; ``rewritten`` that one was not.
    """

    world: World
    verdict: Verdict
    met: int = 0
    rewritten: bool = False
    chains: Chains = field(default_factory=Chains)
    together: Together = field(default_factory=Together)
    digests: set[str] = field(default_factory=set)
    broken: dict[str, dict[str, str]] = field(default_factory=dict)
    """What does not follow and no release has named, by subject and the message's digest."""


async def _told(client: Client) -> dict[str, Any]:
    """What the running leaf's world says of itself."""
    answer = await ask(client, query("cim", "world", "cli"), b"", 10.0)
    return msgspec.json.decode(answer, type=dict[str, Any])


async def _kept_keys(log: Log, machine: Machine) -> list[str]:
    """The persons who were erased and whose keys are still there."""
    found, keys = [], person_keys(machine)
    async for commit in log.read(ERASURES):
        with suppress(PersonErased, codec.BadBody):
            said = erased(commit)
            if said is not None and keys.find(said.person) is not None:
                found.append(
                    f"{said.person} was erased at sequence {commit.sequence}, and their key is there: "
                    f"start the leaf, which destroys it"
                )
    return found


async def _replay(log: Log, world: World, kept: KeptHeads, told: dict[str, Any] | None) -> Replay:
    replay = Replay(world, Verdict(faults=list(kept.faults)))
    with progress() as bar:
        task = bar.add_task("replaying", total=await log.last())
        async for commit in log.read(">"):
            take(replay, commit)
            bar.update(task, completed=commit.sequence)
            await _compare(replay, kept, told)
    verdict = replay.verdict
    last = kept.heads[-1].sequence if kept.heads else 0
    if world.sequence < last:
        verdict.faults.append(f"the log ends at {world.sequence}, it stood at {last}: its tail was cut")
    # What comes behind a first fault does not follow either.
    verdict.faults += [next(iter(broken.values())) for broken in replay.broken.values() if broken]
    verdict.faults += replay.together.faults()
    verdict.entities = await world.entities.count()
    verdict.world = await world.fingerprint()
    stopped = {entity.name: entity.stopped async for entity in world.entities.troubled()}
    told_already = (None, *verdict.faults)
    verdict.faults += [f"{name}: {cause}" for name, cause in stopped.items() if cause not in told_already]
    return replay


def take(replay: Replay, commit: Commit) -> None:
    """Take in the next commit of the log, and hold it against its chain and its place."""
    replay.verdict.commits += 1
    expected = replay.world.sequence + 1
    if commit.sequence != expected:
        replay.verdict.faults.append(
            f"the log holds nothing at {expected}, and {commit.subject} at {commit.sequence}: what stood "
            f"between was taken out of the stream"
        )
    try:
        replay.chains.advance(commit)
    except BrokenChain as broken:
        replay.broken.setdefault(commit.subject, {}).setdefault(commit.digest, str(broken))
    replay.together.take(commit)
    replay.world.apply(commit)
    # The world names a body that cannot be read.
    with suppress(codec.BadBody):
        said = released(commit)
        if said is not None:
            replay.broken.get(commit.subject, {}).pop(said.digest, None)
    replay.digests.update(contents_of(commit))


async def _compare(replay: Replay, kept: KeptHeads, told: dict[str, Any] | None) -> None:
    world, verdict = replay.world, replay.verdict
    for head in kept.at(world.sequence):
        if head is kept.newest:
            verdict.compared.append(f"the head kept at {head.sequence}")
        if head.digest == world.digest:
            replay.met = head.sequence
        elif not replay.rewritten:
            replay.rewritten = True
            verdict.faults.append(
                f"the history from {replay.met + 1} to {head.sequence} is not the one that stood here "
                f"at {head.time or 'that time'}: it was rewritten"
            )
    if told is not None and world.sequence == told["sequence"]:
        verdict.compared.append(f"the running leaf's world at {told['sequence']}")
        if await world.fingerprint() != told["fingerprint"]:
            verdict.faults.append("the running leaf holds another world than the replay: restart it")


async def _check_blobs(blobs: NatsBlobs, replay: Replay) -> None:
    for digest in sorted(replay.digests):
        replay.verdict.blobs += 1
        try:
            await blobs.load(digest)
        except BlobMissing as missing:
            replay.verdict.faults.append(str(missing))
