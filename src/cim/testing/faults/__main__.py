"""Strike a real machine under load, then judge it: ``python -m cim.testing.faults --profile ha``.

Exit code 1 where anything was lost, doubled, forked or untrue, or the machine did not come to rest.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from cim.testing.faults.guards import GUARDS
from cim.testing.faults.networks import NoNetworks
from cim.testing.faults.run import Asked, Told, run


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cim.testing.faults", description=__doc__)
    parser.add_argument("--profile", choices=("dev", "durable", "ha"), default="dev")
    parser.add_argument("--seed", type=int, default=0, help="chooses the faults and their order")
    parser.add_argument("--kills", type=int, default=200, help="end when so many processes were killed")
    parser.add_argument("--minutes", type=float, default=10.0, help="end after so long in any case")
    parser.add_argument("--without", choices=sorted(GUARDS), help="take a guard away: it must be noticed")
    parser.add_argument("--scratch", type=Path, help="a folder that is kept, for looking into afterwards")
    parser.add_argument(
        "--hosts", action="store_true", help="ha on three hosts, each in a network namespace of its own"
    )
    given = parser.parse_args()
    if given.hosts and given.profile != "ha":
        parser.error("--hosts needs --profile ha")
    return given


async def _main(given: argparse.Namespace, scratch: Path) -> Told:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    asked = Asked(given.profile, given.seed, given.kills, given.minutes * 60, given.without, given.hosts)
    return await run(asked, scratch, lambda text: print(text, flush=True))


def main() -> int:
    """Run it in a folder of its own, and print what came of it."""
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="cim-faults-") as temporary:
        scratch = given.scratch or Path(temporary)
        scratch.mkdir(parents=True, exist_ok=True)
        with suppress(asyncio.CancelledError):
            try:
                told = asyncio.run(_main(given, scratch.resolve()))
            except NoNetworks as none:
                print(f"skipped: partition: {none}", flush=True)
                return 0
            print(told.summary, flush=True)
            return 1 if told.wrong else 0
    print("interrupted: everything that was started is stopped", flush=True)
    return 130


if __name__ == "__main__":
    sys.exit(main())
