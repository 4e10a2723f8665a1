"""Which machine a command is about, who may run on it, and how all of it ends."""

import json
import shutil
import signal
from pathlib import Path

import pytest
import websocket

from cim.leaf.lock import find_running
from cim.testing.processes import Place

READING = (
    ("show", "documents.Document"),
    ("log",),
    ("waiting",),
    ("verify",),
)


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_reading_command_starts_what_it_needs_and_leaves_nothing_behind(
    machine: Place, command: tuple[str, ...]
) -> None:
    done = machine.cim(*command)
    assert done.code == 0, done.err
    assert done.out
    assert machine.servers == []
    assert find_running(machine.state) is None
    assert not (machine.state / "leaf.json").exists()


def test_reading_commands_side_by_side_wait_for_each_other(machine: Place) -> None:
    started = [machine.start(*command) for command in READING]
    assert [one.end().code for one in started] == [0, 0, 0, 0]
    assert machine.servers == []


def test_the_server_of_a_reading_command_lets_no_page_in(machine: Place) -> None:
    follower = machine.start("log", "--follow", "--json")
    follower.prints('"sequence":1,')
    settings = json.loads((machine.state / "nats.conf").read_bytes())
    url = f"ws://127.0.0.1:{settings['websocket']['port']}"
    for origin in ("http://127.0.0.1:8600", "http://evil.example"):
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            websocket.create_connection(url, origin=origin, timeout=10)
    assert follower.send(signal.SIGINT).code == 130
    assert machine.servers == []


def test_two_leaves_on_one_folder_are_refused_with_the_others_address(machine: Place) -> None:
    first = machine.up()
    address = machine.address
    for command in (("up", "--port", "0"), ("demo", "--exit", "--port", "0")):
        done = machine.cim(*command)
        assert (done.code, done.out) == (1, "")
        assert f"{machine.state}: a leaf runs here already, process {first.process.pid}" in done.err
        assert f"its page is {address.page}, its NATS {address.url}" in done.err
        assert f"kill {first.process.pid}" in done.err
        assert "is taken" not in done.err
    assert machine.address == address
    assert len(machine.servers) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_leaf_and_its_server(machine: Place, number: signal.Signals, code: int) -> None:
    running = machine.up()
    assert len(machine.servers) == 1
    done = running.send(number)
    assert (done.code, done.err) == (code, "")
    assert machine.servers == []
    assert find_running(machine.state) is None
    assert machine.cim("verify").code == 0


def test_a_signal_ends_the_demo_while_it_reads(new_machine: Place, read_machine: Path) -> None:
    papers = sorted((read_machine.parent / "papers").glob("*.png"))
    running = new_machine.start("demo", "--port", "0", *papers)
    running.prints("machine documents: http://127.0.0.1:")
    done = running.send(signal.SIGINT)
    assert done.code == 130
    assert "Traceback" not in done.err
    assert new_machine.servers == []


def test_a_machine_is_named_by_option_by_environment_or_by_standing_in_it(
    machine: Place, tmp_path: Path
) -> None:
    folder = machine.folder
    # The environment names a folder that is no machine: the option goes before it.
    by_option = machine.cim("show", "documents.Document", "--machine", folder, CIM_MACHINE=str(tmp_path))
    by_environment = machine.cim("show", "documents.Document", CIM_MACHINE=str(folder))
    inside = Place(folder, folder / "documents")
    by_standing = inside.cim("show", "documents.Document", CIM_MACHINE="")
    assert by_option.code == by_environment.code == by_standing.code == 0
    assert by_option.out == by_environment.out == by_standing.out
    assert len(by_option.out.splitlines()) == 6


@pytest.mark.parametrize("command", ["up", "work", "show documents.Document", "waiting"])
def test_a_folder_that_is_no_machine_is_told(machine: Place, tmp_path: Path, command: str) -> None:
    done = machine.cim(*command.split(), "--machine", tmp_path)
    assert done.code == 1
    assert f"{tmp_path} is no machine: it has no machine.toml" in done.err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("modules = 3", "machine.toml"),
        ('modules = ["documents"]\nspeed = 9', "there is no setting 'speed'"),
        ('modules = ["novel"]', "module novel is neither in"),
        ("modules = [", "machine.toml"),
    ],
)
def test_a_machine_toml_that_is_off_is_told(machine: Place, line: str, words: str) -> None:
    (machine.folder / "machine.toml").write_text(f'name = "documents"\n{line}\n')
    done = machine.cim("up", "--port", "0")
    assert done.code == 1
    assert words in done.err
    assert "Traceback" not in done.err
    assert machine.servers == []


def test_a_provider_that_is_missing_is_told_before_anything_runs(machine: Place) -> None:
    file = machine.folder / "machine.toml"
    file.write_text(file.read_text().replace("\nOcr", "\n# Ocr"))
    done = machine.cim("up", "--port", "0")
    assert done.code == 1
    assert "documents.read needs Ocr and nothing is bound to it" in done.err
    assert "Traceback" not in done.err
    assert machine.servers == []


def test_lost_keys_are_told_with_what_to_do(machine: Place) -> None:
    (machine.state / "keys.json").unlink()
    done = machine.cim("show", "documents.Document")
    assert done.code == 1
    assert "Put back the keys.json that belongs to it" in done.err
    shutil.rmtree(machine.state)
    assert machine.cim("show", "documents.Document").code == 0
