"""What the bench of the parts found: a row for each part, with its rival or limit beneath it."""

from dataclasses import dataclass, field

from costs import Cost
from log_bars import shown
from tables import table

COLUMNS = ("", "a second", "ms, p50", "p99", "worst", "processor µs each, here", "in the other process")
NOT_MEASURED = "not measured: {}"


@dataclass
class Parts:
    """The rows that were measured."""

    rows: list[tuple[str, ...]] = field(default_factory=list)
    figures: list[tuple[str, ...]] = field(default_factory=list)

    def row(self, name: str, cost: Cost) -> None:
        """One part, or what stands beside it; the times of each where each was timed."""
        times, there = ["", "", ""], ""
        if isinstance(cost, Cost):
            if cost.each:
                times = [shown(cost.within(share)) for share in (0.5, 0.99, 1.0)]
            if cost.there is not None:
                there = shown(1e6 * cost.there / cost.operations)
        self.rows.append((name, shown(cost.rate), *times, shown(cost.micros), there))

    def missing(self, name: str, why: str) -> None:
        """A part that could not be measured here."""
        self.rows.append((f"{name}: {NOT_MEASURED.format(why)}", *[""] * (len(COLUMNS) - 1)))

    def figure(self, name: str, value: float, beside: str, limit: float) -> None:
        """What has one value, and what it is to be seen beside."""
        self.figures.append((name, shown(value), beside, shown(limit)))

    def tables(self) -> str:
        """All of it as Markdown."""
        beside = [(name, value, f"{limit} ({what})") for name, value, what, limit in self.figures]
        return "\n\n".join([table(COLUMNS, self.rows), table(("", "figure", "beside it"), beside)])
