"""A machine whose ``machine.toml`` names a PostgreSQL database: the same commands, the same rows."""

import pytest

from cim.testing.processes import Place, wait_until

from .test_ask import MODULE, ask, write


@pytest.fixture
def desk(new_machine: Place, database: str) -> Place:
    new_machine.folder.mkdir()
    (new_machine.folder / "machine.toml").write_text(
        f'name = "{new_machine.folder.parent.name}"\nmodules = ["notes"]\nworkers = 1\n'
        f'[projections]\nstore = "{database}"\n'
    )
    (new_machine.folder / "notes.py").write_text(
        MODULE.replace("before =", 'assert event.author != "Eve"\n    before =')
    )
    return new_machine


def test_rows_and_queries_are_those_of_the_log_with_a_leaf_and_without(desk: Place) -> None:
    assert desk.cim("rows", "notes.authors", "--json").data == []
    write(desk, "n1", "Ada", "2026-01-02")
    without = desk.cim("rows", "notes.authors", "--json")
    assert (without.data, without.err) == ([{"author": "Ada", "notes": 1, "last": "2026-01-02"}], "")
    desk.up()
    for number in range(2, 6):
        sequence = write(desk, f"n{number}", "Ada", "2026-01-02")
        assert ask(desk, "notes.authors", key=["Ada"], reached=sequence)["rows"][0]["notes"] == number
        done = desk.cim("ask", "notes.silent", "since=2026-02-01", "--reached", str(sequence), "--json")
        assert done.data[0]["answer"][0]["notes"] == number, done.err
    assert not (desk.state / "projections").exists(), "no file holds them"


def test_a_projection_that_stops_is_told_and_freed(desk: Place) -> None:
    desk.up()
    sequence = write(desk, "n1", "Eve", "2026-01-02")
    wait_until(lambda: desk.cim("waiting", "--json").data, "the projection stops")
    (waits,) = desk.cim("waiting", "--json").data
    assert (waits["system"], waits["why"]) == ("notes.authors", "stopped")
    done = desk.cim("release", "evt.notes.Note.n1", "--sequence", str(sequence), "--reason", "nobody")
    assert done.code == 0, done.err
    wait_until(lambda: desk.cim("rows", "--json").data[0]["behind"] == 0, "the projection goes on")


def test_a_store_that_is_none_is_refused_by_name(desk: Place) -> None:
    text = (desk.folder / "machine.toml").read_text()
    (desk.folder / "machine.toml").write_text(text.replace("postgresql://", "mysql://"))
    done = desk.cim("rows")
    assert (done.code, '[projections] store is "postgresql://…"' in done.err) == (1, True)


def test_without_its_package_the_store_is_refused_by_name(desk: Place) -> None:
    (desk.folder / "psycopg.py").write_text("raise ModuleNotFoundError('no psycopg', name='psycopg')\n")
    done = desk.cim("rows", PYTHONPATH=str(desk.folder), PYTHONSAFEPATH="")
    assert done.code == 1
    assert "install composable-information-machine[postgresql]" in done.err
