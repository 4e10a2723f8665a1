"""``cim verify``: the log replayed from nothing, its chain checked, compared with what is stored."""

import argparse
from dataclasses import dataclass, field
from typing import Any

import msgspec
from nats.aio.client import Client

from cim.adapters.nats.blobs import NatsBlobs
from cim.adapters.nats.link import ask
from cim.adapters.nats.log import NatsLog
from cim.cli.output import print_json, progress
from cim.cli.place import find_machine, reach, run_until_stopped
from cim.contract import codec
from cim.contract.composition import Composition, compose
from cim.contract.envelope import Commit
from cim.contract.subjects import query
from cim.leaf.heads import KeptHead, read_head
from cim.leaf.machine import Machine, load_contexts
from cim.log.chain import BrokenChain, Chains
from cim.ports.blobs import BlobMissing
from cim.world.world import World


@dataclass(slots=True)
class Verdict:
    """What was found: how much was checked, and every fault by name."""

    commits: int = 0
    entities: int = 0
    blobs: int = 0
    compared: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def run(given: argparse.Namespace) -> int:
    """Verify; 1 where a fault was found."""
    verdict = run_until_stopped(_verify(find_machine(given.machine)))
    if given.json:
        print_json({"sound": not verdict.faults, **msgspec.to_builtins(verdict)})
    else:
        print(f"{verdict.commits} commits of {verdict.entities} entities, {verdict.blobs} contents checked")
        print(f"compared with: {', '.join(verdict.compared) or 'nothing stored yet'}")
        print("\n".join(f"FAULT {fault}" for fault in verdict.faults) or "sound: no fault found")
    return 1 if verdict.faults else 0


async def _verify(machine: Machine) -> Verdict:
    composition = compose(load_contexts(machine, machine.modules))
    async with reach(machine) as (client, running):
        told = await _told(client) if running is not None else None
        # The head is read before the log, so that what comes in meanwhile is not held against it.
        head = read_head(machine.state)
        replay = await _replay(await NatsLog.open(client), composition, head, told)
        await _check_blobs(await NatsBlobs.open(client), replay)
        return replay.verdict


@dataclass(slots=True)
class Replay:
    """A history on its way through: the world it makes, and what is compared at which sequence."""

    world: World
    verdict: Verdict
    chains: Chains = field(default_factory=Chains)
    digests: set[str] = field(default_factory=set)


async def _told(client: Client) -> dict[str, Any]:
    """What the running leaf's world says of itself."""
    answer = await ask(client, query("cim", "world", "cli"), b"", 10.0)
    return msgspec.json.decode(answer.data, type=dict[str, Any])


async def _replay(
    log: NatsLog, composition: Composition, head: KeptHead | None, told: dict[str, Any] | None
) -> Replay:
    replay = Replay(World(composition), Verdict())
    with progress() as bar:
        task = bar.add_task("replaying", total=await log.last())
        async for commit in log.read(">"):
            _take(replay, commit)
            bar.update(task, completed=commit.sequence)
            _compare(replay, head, told)
    world, verdict = replay.world, replay.verdict
    if head is not None and world.sequence < head.sequence:
        verdict.faults.append(
            f"the log ends at {world.sequence}, it stood at {head.sequence}: its tail was cut"
        )
    verdict.entities = len(world.entities)
    verdict.faults += [f"{ref}: {entity.stopped}" for ref, entity in world.entities.items() if entity.stopped]
    return replay


def _take(replay: Replay, commit: Commit) -> None:
    replay.verdict.commits += 1
    try:
        replay.chains.advance(commit)
    except BrokenChain as broken:
        if not any(fault.startswith(commit.subject) for fault in replay.verdict.faults):
            replay.verdict.faults.append(str(broken))
    replay.world.apply(commit)
    for item in codec.decode(commit.body):
        replay.digests |= set(_blobs_in(item.data))


def _compare(replay: Replay, head: KeptHead | None, told: dict[str, Any] | None) -> None:
    world, verdict = replay.world, replay.verdict
    if head is not None and world.sequence == head.sequence:
        verdict.compared.append(f"the head kept at {head.sequence}")
        if world.digest != head.digest:
            verdict.faults.append(
                f"the history up to {head.sequence} is not the one that was kept: it was rewritten"
            )
    if told is not None and world.sequence == told["sequence"]:
        verdict.compared.append(f"the running leaf's world at {told['sequence']}")
        if world.fingerprint() != told["fingerprint"]:
            verdict.faults.append("the running leaf holds another world than the replay: restart it")


async def _check_blobs(blobs: NatsBlobs, replay: Replay) -> None:
    for digest in sorted(replay.digests):
        replay.verdict.blobs += 1
        try:
            await blobs.load(digest)
        except BlobMissing as missing:
            replay.verdict.faults.append(str(missing))


def _blobs_in(data: Any) -> list[str]:
    """The digests of the contents that plain data names."""
    if isinstance(data, dict):
        if data.keys() == {"sha256", "size", "media"}:
            return [str(data["sha256"])]
        return [digest for value in data.values() for digest in _blobs_in(value)]
    if isinstance(data, list):
        return [digest for value in data for digest in _blobs_in(value)]
    return []
