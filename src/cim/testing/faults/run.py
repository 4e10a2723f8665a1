"""One fault run from its start to its verdict."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cim.ports.log import LinkLost
from cim.testing.faults.ground import UP, Ground
from cim.testing.faults.guards import GUARDS
from cim.testing.faults.hosts import Hosts
from cim.testing.faults.journal import Journals
from cim.testing.faults.strikes import Strikes
from cim.testing.faults.verdict import Heard, History, compared, settled, verdict
from cim.testing.small_disk import NoDisk, SmallDisk

BETWEEN = 15
"""Receipts that are waited for between two strikes: the machine works while it is struck."""

STILL, STUCK = 20.0, 120.0
"""Seconds without a receipt after which it is struck again all the same, and after which it is stuck."""

REST = 90.0
"""Seconds that the machine has to come to rest when all is well again."""

BROKEN = 5.0
"""Seconds that the senders have to end when it is wrong already."""

PROGRESS = 10.0
MOST_WRONG = 20

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What to do: under which durability, by which seed, and until when (kills or seconds); with ``hosts`` on
    three of them, each in a network of its own; ``only`` by some kinds of faults."""

    profile: str
    seed: int
    kills: int
    seconds: float
    without: str | None = None
    hosts: bool = False
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What came of it: everything that is wrong, what was counted, and both in words."""

    wrong: tuple[str, ...]
    counted: Counter[str]
    summary: str


async def run(asked: Asked, scratch: Path, say: Say) -> Told:
    """Strike and judge; everything that was started or mounted is gone afterwards."""
    if asked.without is not None:
        GUARDS[asked.without].code()  # a line that is no longer there fails here, by its name
    skipped, ground = {}, Ground(scratch, asked.profile, asked.seed, asked.without)
    if asked.hosts:
        ground = Hosts(scratch, asked.seed, asked.without)
    else:
        skipped = _skipped(scratch)
    strikes, journals = Strikes(ground, asked.seed, skipped, asked.only), Journals(scratch)
    begun = time.monotonic()
    say(f"profile {asked.profile}, seed {asked.seed}: faults are the seed's choice, their moments not")
    for what, why in skipped.items():
        say(f"skipped: {what}: {why}")
    try:
        await ground.open(small_disk=not asked.hosts and "disk full" not in skipped)
        wrong = await _strike(asked, ground, strikes, journals, say)
        history, more = await _judge(ground, journals, say)
        wrong += more
    finally:
        await ground.close()
    wrong = list(dict.fromkeys(wrong))
    counted = _counted(strikes, journals, history, wrong)
    return Told(tuple(wrong), counted, _summary(asked, counted, skipped, wrong, time.monotonic() - begun))


def _skipped(scratch: Path) -> dict[str, str]:
    folder = scratch / "probe"
    folder.mkdir(exist_ok=True)
    try:
        SmallDisk(folder).close()
    except NoDisk as none:
        return {"disk full": str(none)}
    return {}


async def _strike(asked: Asked, ground: Ground, strikes: Strikes, journals: Journals, say: Say) -> list[str]:
    """Strike again and again; what went wrong on the way."""
    begun = told = time.monotonic()
    while strikes.kills < asked.kills and time.monotonic() - begun < asked.seconds:
        if journals.troubles:
            return []  # it is wrong already: no need to go on
        if not await _worked(journals):
            return [f"stuck: no receipt for {STUCK:g} s after {strikes.kills} kills"]
        done = await strikes.strike()
        if time.monotonic() - told > PROGRESS or strikes.kills >= asked.kills:
            told = time.monotonic()
            say(
                f"{told - begun:5.0f} s: {strikes.kills} kills, {journals.acknowledged} acknowledged, "
                f"{journals.counted['unknown']} unknown; {done}"
            )
    return []


async def _worked(journals: Journals) -> bool:
    """Wait until the machine has worked since the last strike; False where it is stuck."""
    before, since = journals.acknowledged, time.monotonic()
    while journals.acknowledged < before + BETWEEN:
        await asyncio.sleep(0.05)
        journals.look()
        waited = time.monotonic() - since
        if waited > STUCK:
            return False
        if waited > STILL and journals.acknowledged > before:
            break
    return True


async def _judge(ground: Ground, journals: Journals, say: Say) -> tuple[History, list[str]]:
    """Let the machine come to rest, and look for everything that is wrong."""
    say("no more faults: waiting for what is under way, and for the machine to come to rest")
    patience = BROKEN if journals.troubles else REST
    await asyncio.gather(*(sender.end(patience) for sender in ground.senders))
    journals.look()
    wrong = [f"error: {text}" for text in journals.troubles]
    wrong += [f"crash: {text}" for part in ground.parts for text in part.unasked]
    try:
        await ground.until_up(BROKEN if wrong else UP)
    except TimeoutError:
        return [], [*wrong, "stuck: the leaf does not come up any more"]
    history, found = await _at_rest(ground, Heard.of(journals.lines()))
    wrong += found
    if not any(text.startswith("fork") for text in wrong):
        reached = ("--reached", str(len(history)), "--patience", "20")
        for rows in await ground.cim("rows", "jars.amounts", "--json", *reached):
            wrong += compared(history, rows)
    for lines in await ground.cim("verify", "--json"):
        (verified,) = lines or [{"sound": False, "faults": ["it did not run"]}]
        wrong += [f"verify: {fault}" for fault in verified["faults"]]
        wrong += [] if verified["sound"] else ["verify: the log is not sound"]
    return history, wrong


async def _at_rest(ground: Ground, heard: Heard) -> tuple[History, list[str]]:
    """The log once every system has done its work, and what is wrong with it; at once where it is broken."""
    until, history = time.monotonic() + REST, History()
    while time.monotonic() < until:
        with suppress(LinkLost):
            history = await ground.read()
            wrong = list(verdict(history, heard))
            if wrong or not any(settled(history)):
                return history, wrong
        await asyncio.sleep(1)
    return history, [*settled(history)] or ["stuck: the log cannot be read"]


def _counted(strikes: Strikes, journals: Journals, history: History, wrong: list[str]) -> Counter[str]:
    counted = Counter(strikes.counted)
    heard = Heard.of(journals.lines())
    counted["acknowledged"] = len(heard.receipts)
    counted["rejected"] = len(heard.rejected.keys() - heard.receipts.keys())
    counted["unknown outcomes"] = len(heard.unknown)
    counted["commits"] = len(history)
    for kind in ("lost", "doubled", "fork"):
        counted[kind] = sum(text.startswith(f"{kind}:") for text in wrong)
    return counted


def _summary(
    asked: Asked, counted: Counter[str], skipped: dict[str, str], wrong: list[str], seconds: float
) -> str:
    known = ("kill", "partition", "stop", "cut", "stall", "one direction lost", "disk full")
    kinds = ", ".join(f"{count} {what}" for what, count in sorted(counted.items()) if what.endswith("killed"))
    lines = [
        f"profile {asked.profile}, seed {asked.seed}, {seconds:.0f} s"
        + (f", without the guard {asked.without}" if asked.without else ""),
        f"kills = {counted['kill']} ({kinds})",
        ", ".join(f"{what} = {counted[what]}" for what in known[1:]),
        *(f"skipped: {what}: {why}" for what, why in skipped.items()),
        f"acknowledged = {counted['acknowledged']}, rejected = {counted['rejected']}, "
        f"unknown outcomes = {counted['unknown outcomes']}, commits in the log = {counted['commits']}",
        f"lost = {counted['lost']}, doubled = {counted['doubled']}, forks = {counted['fork']}",
        *(f"WRONG {text}" for text in wrong[:MOST_WRONG]),
        f"{len(wrong)} things are wrong" if wrong else "all is as it must be",
    ]
    return "\n".join(lines)
