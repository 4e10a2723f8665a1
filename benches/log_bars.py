"""What the log's bench found: the table of sides, and the bars beside their rivals and limits."""

from dataclasses import dataclass, field

from costs import Cost
from tables import table

SIDES = (
    "",
    "creates/s",
    "updates/s",
    "processor µs an update",
    "1,000 events loaded, ms",
    "replayed/s, decoded",
)
BARS = ("", "ours", "beside it", "ratio", "aim", "reached")


def shown(value: float | None) -> str:
    """Three figures, thousands parted."""
    if value is None:
        return ""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


@dataclass
class Rows:
    """The rows that were measured."""

    sides: list[tuple[str, ...]] = field(default_factory=list)
    bars: list[tuple[str, ...]] = field(default_factory=list)
    figures: list[tuple[str, str]] = field(default_factory=list)

    def side(
        self, name: str, create: Cost | None, update: Cost, load: float | None, read: Cost | None
    ) -> None:
        """One side's figures; what was not measured stays empty."""
        made, replayed = (None if cost is None else cost.rate for cost in (create, read))
        cells = [shown(made), shown(update.rate), f"{update.micros:.1f}"]
        self.sides.append((name, *cells, shown(load), shown(replayed)))

    def at_least(self, name: str, ours: float, beside: float, aim: float) -> None:
        """A bar on our rate over another one."""
        self._bar(name, shown(ours), shown(beside), ours / beside, f"≥ {aim:g}", ours / beside >= aim)

    def at_most(self, name: str, ours: float, beside: float, aim: float) -> None:
        """A bar on our time over another one."""
        self._bar(name, shown(ours), shown(beside), ours / beside, f"≤ {aim:g}", ours / beside <= aim)

    def share(self, name: str, ours: float, limit: float) -> None:
        """Our rate beside a limit, of which no share was aimed at."""
        self.bars.append((name, shown(ours), shown(limit), f"{ours / limit:.2f}", "", ""))

    def under(self, name: str, ours: float, aim: float) -> None:
        """A bar on our time alone."""
        self._bar(name, shown(ours), "", None, f"< {aim:g}", ours < aim)

    def figure(self, name: str, value: float) -> None:
        """What no bar was set for."""
        self.figures.append((name, shown(value)))

    def _bar(self, name: str, ours: str, beside: str, ratio: float | None, aim: str, reached: bool) -> None:
        cells = (ours, beside, "" if ratio is None else f"{ratio:.2f}", aim, "yes" if reached else "no")
        self.bars.append((name, *cells))

    def tables(self) -> str:
        """All of it as Markdown."""
        tables = [
            table(SIDES, self.sides),
            table(BARS, self.bars),
            table(("beside it", "figure"), self.figures),
        ]
        return "\n\n".join(tables)
