"""A machine whose system asks a gauge over NATS, and the gauges that may stand there."""

import time
from collections.abc import Callable
from pathlib import Path

from cim.testing.processes import Place, Running, wait_until

LAB = """
from collections.abc import Iterable
from typing import Protocol
from cim import Capability, Changed, Command, Component, Context, Event, State
from cim.domain.capability import version

lab = Context("lab")


class Put(Command):
    sample: str
    weight: int


class Came(Event):
    sample: str
    weight: int


@lab.entity(key="sample")
class Sample(State):
    weight: int = 0

    def decide(self, command: Put) -> Iterable[Came]:
        return [Came(command.sample, command.weight)]

    def evolve(self, event: Came) -> "Sample":
        return self.but(weight=event.weight)


@lab.component(of=Sample)
class Reading(Component):
    grams: int


@version(VERSION)
class Gauge(Capability, Protocol):
    def weigh(self, weight: int) -> int: ...


@lab.system
def read(sample: Changed[Sample], gauge: Gauge) -> Reading:
    return Reading(gauge.weigh(sample.weight))
"""

GAUGES = """
import os
import time
from pathlib import Path
from cim import Failure

HERE = Path(__file__).parent


def asked() -> None:
    with (HERE / "asked").open("a") as file:
        file.write(f"{os.getpid()}\\n")


class Good:
    def weigh(self, weight: int) -> int:
        asked()
        if weight < 0:
            raise Failure("nothing weighs less than nothing")
        if weight == 0:
            raise KeyError("zero")
        return weight * 1000


class Twice(Good):
    def weigh(self, weight: int) -> int:
        return super().weigh(weight) * 2


class Slow(Good):
    def weigh(self, weight: int) -> int:
        result = super().weigh(weight)
        time.sleep(0.1)
        return result


class Held(Good):
    def weigh(self, weight: int) -> int:
        result = super().weigh(weight)
        while (HERE / "hold").exists():
            time.sleep(0.01)
        return result


class Lying:
    def weigh(self, weight: int) -> int:
        return "a kilogram"
"""

TOML = """name = "lab"
modules = ["lab"]
workers = {workers}
port = 0

[providers]
Gauge = {{ over = "nats", binding = "fine", seconds = {seconds}, failures = 3, rest = 0.5 {more} }}

[provided.fine]
Gauge = "gauges:Good"
"""


class Lab:
    """The machine of a test."""

    def __init__(self, machine: Place) -> None:
        self.machine, self.folder = machine, machine.folder

    def lay(self, *, seconds: float = 20, workers: int = 2, version: int = 1, more: str = "") -> None:
        """Write its files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "lab.py").write_text(LAB.replace("VERSION", str(version)))
        (self.folder / "gauges.py").write_text(GAUGES)
        (self.folder / "machine.toml").write_text(TOML.format(seconds=seconds, workers=workers, more=more))

    def provide(self, use: str = "", *words: str) -> Running:
        """Start a provider, and wait until it takes calls."""
        running = self.machine.start("provide", f"Gauge=gauges:{use}" if use else "Gauge", *words)
        running.prints(" provides cap.Gauge.")
        return running

    def put(self, sample: str, weight: int) -> None:
        done = self.machine.cim("send", "lab.Put", f"sample={sample}", f"weight={weight}")
        assert done.code == 0, done.err

    def readings(self) -> dict[str, int]:
        """The grams of each sample that has been read."""
        found = self.machine.cim("show", "lab.Sample", "--json").data
        return {
            one["id"]: one["components"]["Reading"]["value"]["grams"]
            for one in found
            if "Reading" in one["components"]
        }

    def waiting(self, why: str) -> list[dict[str, str]]:
        return [one for one in self.machine.cim("waiting", "--json").data if one["why"] == why]

    def causes(self, why: str, holds: Callable[[str], bool]) -> str:
        """The cause of what waits for such a reason, once it is as it should be."""
        found = wait_until(
            lambda: [one["cause"] for one in self.waiting(why) if holds(one["cause"])], f"{why} is told"
        )
        return found[0]

    @property
    def asked(self) -> list[int]:
        """The processes of the gauges, once a call."""
        file = self.folder / "asked"
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    def hold(self) -> Path:
        file = self.folder / "hold"
        file.touch()
        return file


def seconds_since(moment: float) -> float:
    return time.monotonic() - moment
