"""Worlds of random modules, each from its seed, held against a plain dictionary.

``--seed 0 --runs 1000`` plays so many, and prints the smallest case of each that ends wrong.
``--seed N --runs 1`` plays life N again.
"""

import argparse
import sys
from collections import Counter

from cim.domain.errors import Misdeclared
from cim.testing.worlds.life import Case, case, live
from cim.testing.worlds.module import text_of
from cim.testing.worlds.shrink import shrunk


def told(wrong: Case) -> str:
    """A case for a person: its modules as they would be written, its deeds, and what is wrong at its end."""
    deeds = "\n".join(f"  {' '.join(map(str, deed))}" for deed in wrong.deeds)
    faults = "no faults" if wrong.calm else f"faults of seed {wrong.seed}"
    found = "\n".join(f"  {text}" for text in live(wrong).wrong)
    return f"{text_of(wrong.plan)}\ndeeds, with {faults}:\n{deeds}\nwrong at its end:\n{found}"


def main(arguments: list[str] | None = None) -> int:
    """Print the summary of many lives; 1 when something is wrong with one of them."""
    parser = argparse.ArgumentParser(
        "python -m cim.testing.worlds", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0, help="the first life's seed; the others follow it")
    parser.add_argument("--runs", type=int, default=100, help="how many lives")
    given = parser.parse_args(arguments)
    total: Counter[str] = Counter()
    refused = failed = 0
    for seed in range(given.seed, given.seed + given.runs):
        try:
            life = live(case(seed))
        except Misdeclared:
            refused += 1
            continue
        total += life.counted
        failed += bool(life.wrong)
        if life.wrong:
            print(
                f"seed {seed}: {life.wrong[0]}\nmade as small as it can be:\n{told(shrunk(case(seed)))}",
                flush=True,
            )
    last = given.seed + given.runs - 1
    print(f"seeds {given.seed} to {last}: {given.runs} runs, {refused} refused by name, {failed} failed")
    for name in sorted(total):
        print(f"{name:>35}  {total[name]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
