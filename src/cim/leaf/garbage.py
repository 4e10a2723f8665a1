"""How a process of a machine looks for garbage: seldom, and never through what stays.

Nearly all that a machine makes is freed when nobody holds it any more; only circles wait for the collector.
CPython has it look after 700 new objects, and what is alive then is looked through again later: with hundreds
of commands in flight that costs a good part of an update's time, and one look through a large world holds up
everybody (docs/decisions/0026).
"""

import gc

SELDOM = 50_000, 20, 100
"""New objects until the young are looked through, and how many such looks until the next older ones are."""


def collect_seldom() -> None:
    """Look for garbage seldom in this process; called once, by whoever started it."""
    gc.set_threshold(*SELDOM)


def let_stay() -> None:
    """Look no more through what this process holds now: the world that it has caught up with, its modules.

    It is still freed when nobody holds it any more. A circle in it that is garbage by now is never found;
    those are the few of the last moments.
    """
    gc.freeze()


def let_go() -> None:
    """Look again through all: what was to stay has come to its end, and the process goes on."""
    gc.unfreeze()
