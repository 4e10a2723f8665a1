"""Kill -9 in the middle of folding, again and again: each event has its effect once."""

import random
import re
import subprocess
import sys
import threading
from pathlib import Path

from cim.adapters.postgres.rows import PostgresRows
from cim.adapters.sqlite.rows import SqliteRows
from cim.ports.rows import RowStore
from cim.projections.reading import read_rows, standing

CHILD = Path(__file__).with_name("shop.py")
EVENTS, KILLS = 6_000, 8


def oracle(seed: int) -> list[dict[str, object]]:
    """What the rows must be, by a fold that has nothing in common with the machine's."""
    chance = random.Random(seed)
    orders: dict[str, list[int]] = {}
    for _ in range(EVENTS):
        customer = f"c{chance.randrange(20)}"
        if chance.random() < 0.02:
            orders.pop(customer, None)
        else:
            orders.setdefault(customer, []).append(chance.randrange(100))
    return [
        {"customer": customer, "orders": len(amounts), "amount": sum(amounts)}
        for customer, amounts in sorted(orders.items())
    ]


def word(store: RowStore) -> str:
    """How the child is told of a store."""
    if isinstance(store, PostgresRows):
        return f"{store.machine}@{store.url}"
    assert isinstance(store, SqliteRows)
    return str(store.folder)


def start(store: RowStore, seed: int) -> "subprocess.Popen[str]":
    command = [sys.executable, str(CHILD), word(store), str(EVENTS), str(seed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_rows_equal_the_oracle_through_kills(rows: RowStore) -> None:
    seed = random.randrange(1_000_000)
    chance, place = random.Random(seed), rows.place("shop.totals")
    stood = []
    for _ in range(KILLS):
        with start(rows, seed) as child:
            assert child.stdout is not None
            while child.stdout.readline() != "begins\n":
                assert child.poll() is None, f"seed {seed}: {child.stdout.read()}"
            for _ in range(chance.randrange(4)):
                child.stdout.readline()
            threading.Event().wait(chance.random() * 0.01)
            child.kill()
        stood.append(standing(place).sequence)
    assert stood == sorted(stood), f"seed {seed}: rows went back"
    assert stood[-1] > 0, f"seed {seed}: no kill came late enough to show anything"
    with start(rows, seed) as child:
        said, _ = child.communicate(timeout=60)
    found, shown = read_rows(place)
    assert (child.returncode, found.sequence, found.stopped) == (0, EVENTS, None), f"seed {seed}: {said}"
    assert shown == oracle(seed), f"seed {seed}, killed at {stood}"


def test_no_place_between_two_statements_loses_an_effect_or_doubles_it(rows: RowStore) -> None:
    script = Path(__file__).with_name("crash_points.py")
    done = subprocess.run(
        [sys.executable, str(script), word(rows)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    said = re.sub(r"\d+", "N", done.stdout)
    assert said == "totals: N places\ncustomers: N places\n", done.stdout
    assert min(map(int, re.findall(r"\d+", done.stdout))) > 20, done.stdout
