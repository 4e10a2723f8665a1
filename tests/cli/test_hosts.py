"""A machine on several hosts by the one command at each.

The hosts are addresses of loopback, and, where one is to be cut off, networks of their own.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from cim.leaf.hosts import PORT
from cim.testing.faults.networks import Networks, NoNetworks
from cim.testing.processes import Place, Running, place, wait_until

from .notes import NOTES

NAMES = ("alpha", "beta", "gamma")
TAKES = 90.0
"""Seconds that a host may take to notice that another one is gone, and to be the leaf."""

COUNTED = (
    NOTES
    + """

from cim import Changed, Component


@notes.component(of=Note)
class Length(Component):
    words: int


@notes.system
def count(note: Changed[Note]) -> Length:
    return Length(len(note.text.split()))
"""
)
MACHINE = 'name = "notes"\nmodules = ["notes"]\nworkers = 1\nport = 0\ndurability = "ha"\n'


def lay(folder: Path, cluster: str) -> None:
    folder.mkdir()
    (folder / "notes.py").write_text(COUNTED)
    (folder / "machine.toml").write_text(MACHINE + cluster)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[dict[str, Place]]:
    """The machine's folder at each of three hosts, without keys."""
    # Of 127.0.0.0/8 all is this host's own: nobody else is at these.
    net = f"127.{20 + os.getpid() % 200}.{os.getpid() // 200 % 250}"
    cluster = "[cluster]\n" + "".join(f'{name} = "{net}.{at}"\n' for at, name in enumerate(NAMES, 1))
    with ExitStack() as stack:
        made = {}
        for name in NAMES:
            lay(tmp_path / name, cluster)
            made[name] = stack.enter_context(place(tmp_path / name, tmp_path / f"said-{name}"))
        yield made


@pytest.fixture
def keyed(hosts: dict[str, Place]) -> dict[str, Place]:
    """And with keys."""
    return share_keys(hosts)


def share_keys(hosts: dict[str, Place]) -> dict[str, Place]:
    """Make keys at the first host, and copy them to the others as one is told to."""
    made = hosts["alpha"].cim("keys")
    assert made.code == 0, made.err
    file = hosts["alpha"].state / "keys.json"
    assert f"{file}: copy it to the same place at each other host" in made.out
    for name in NAMES[1:]:
        hosts[name].state.mkdir(mode=0o700)
        shutil.copy2(file, hosts[name].state / "keys.json")
    return hosts


def up(host: Place, name: str, *more: str) -> Running:
    return host.start("up", "--as", name, "--port", "0", *more)


def write(host: Place, note: str) -> None:
    sent = host.cim("send", "notes.Write", f"note={note}", "text=two words", "--patience", "60")
    assert sent.code == 0, sent.err


def numbers(host: Place) -> list[int]:
    log = host.cim("log", "--json")
    assert log.code == 0, log.err
    return [one["number"] for one in log.data if one["subject"].startswith("evt.")]


def leads(running: Running) -> Callable[[], bool]:
    return lambda: " is up: http" in running.out


def test_a_host_without_the_keys_of_the_others_is_told_how_to_come_by_them(hosts: dict[str, Place]) -> None:
    refused = up(hosts["alpha"], "alpha").end()
    assert refused.code == 1
    assert "keys.json is missing" in refused.err
    assert "Make them once, on one host, with `cim keys`" in refused.err
    asked = hosts["alpha"].cim("log")
    assert "nothing of machine notes runs at this host: `cim up" in asked.err
    nameless = hosts["alpha"].cim("up")
    assert "are all addresses of this host: say which of alpha" in nameless.err


def test_a_machine_with_personal_fields_is_refused(keyed: dict[str, Place]) -> None:
    text = NOTES.replace("Event, State", "Event, Personal, State").replace("text: str", "text: Personal[str]")
    (keyed["alpha"].folder / "notes.py").write_text(text)
    refused = up(keyed["alpha"], "alpha").end()
    assert refused.code == 1
    assert "notes.Note has Personal fields" in refused.err
    assert "[cluster] is not for such a machine yet" in refused.err


def test_three_hosts_are_one_machine_and_another_leads_when_one_ends_or_dies(keyed: dict[str, Place]) -> None:
    running = {"alpha": up(keyed["alpha"], "alpha")}
    wait_until(lambda: "node alpha waits for beta" in running["alpha"].err, "that it waits")
    running["beta"] = up(keyed["beta"], "beta")
    wait_until(lambda: "the first time all hosts must be there" in running["beta"].err, "that they wait")
    running["gamma"] = up(keyed["gamma"], "gamma", "--node")
    first = wait_until(lambda: next((n for n in running if leads(running[n])()), ""), "a leaf", TAKES)
    second = "beta" if first == "alpha" else "alpha"
    wait_until(lambda: "node gamma is up at nats://" in running["gamma"].err, "the third", TAKES)
    wait_until(lambda: f"the leaf runs at {first}: this host stands by" in running[second].err, "that")
    for name in NAMES:
        write(keyed[name], f"at-{name}")
    assert keyed[second].address.page == ""
    # Ended in order, it gives its turn back; the two that are left are enough.
    assert running[first].send(signal.SIGTERM).code == 128 + signal.SIGTERM
    wait_until(leads(running[second]), "the other leads", TAKES)
    write(keyed["gamma"], "after-the-first")
    # Back, it stands by; killed, the other one loses its turn by saying nothing.
    running[first] = up(keyed[first], first)
    wait_until(lambda: f"the leaf runs at {second}" in running[first].err, "that it stands by", TAKES)
    running[second].kill()
    wait_until(leads(running[first]), "the first leads again", TAKES)
    write(keyed["gamma"], "after-the-second")
    assert numbers(keyed["gamma"]) == numbers(keyed[first]) == [1] * 5
    assert keyed[first].cim("verify").code == 0
    assert leads(running["gamma"])() is False


def test_who_listens_where(keyed: dict[str, Place]) -> None:
    for name in NAMES[:2]:
        up(keyed[name], name, "--node")
    conf = keyed["alpha"].state / "node-1" / "nats.conf"
    wait_until(conf.exists, "the node's configuration")
    text = conf.read_text()
    net = (keyed["alpha"].folder / "machine.toml").read_text().split('alpha = "')[1].split('"')[0]
    assert f'"host": "{net}",\n  "port": {PORT},' in text
    assert f'"host": "{net}",\n    "port": {PORT + 1},' in text
    assert '"websocket": {\n    "host": "127.0.0.1"' in text
    assert "0.0.0.0" not in text


def test_a_machine_of_one_host_moves_to_three_by_its_folders(keyed: dict[str, Place], tmp_path: Path) -> None:
    lay(tmp_path / "one", "")
    with place(tmp_path / "one", tmp_path / "said-one") as one:
        leaf = one.up()
        write(one, "before")
        leaf.send(signal.SIGTERM)
        before = one.cim("log", "--json").data
    for name in NAMES:
        shutil.rmtree(keyed[name].state)
        keyed[name].state.mkdir(mode=0o700)
        shutil.copy2(one.state / "keys.json", keyed[name].state / "keys.json")
    for folder in ("node-1", "node-2"):
        shutil.copytree(one.state / folder, keyed["alpha"].state / folder)
    refused = up(keyed["alpha"], "alpha").end()
    assert "node-2 holds a history, and alpha is host 1 of [cluster]" in refused.err
    shutil.move(keyed["alpha"].state / "node-2", keyed["beta"].state / "node-2")
    shutil.copytree(one.state / "node-3", keyed["gamma"].state / "node-3")
    running = [up(keyed[name], name) for name in NAMES]
    wait_until(lambda: any(leads(one)() for one in running), "a leaf", TAKES)
    found = keyed["gamma"].cim("log", "--json").data
    assert found[: len(before)] == before
    write(keyed["beta"], "after")


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[tuple[Networks, dict[str, Place]]]:
    """The machine with its keys at three hosts in networks of their own; needs to be root."""
    try:
        networks = Networks(len(NAMES))
    except NoNetworks as none:
        pytest.skip(str(none))
    cluster = "".join(f'{name} = "{networks.address(at)}"\n' for at, name in enumerate(NAMES, 1))
    with closing(networks), ExitStack() as stack:
        made = {}
        for at, name in enumerate(NAMES, 1):
            lay(tmp_path / name, f"[cluster]\n{cluster}")
            said = tmp_path / f"said-{name}"
            made[name] = stack.enter_context(place(tmp_path / name, said, networks.inside(at)))
        yield networks, share_keys(made)


def test_a_host_that_is_cut_off_stands_by_when_it_is_back(apart: tuple[Networks, dict[str, Place]]) -> None:
    networks, hosts = apart
    # Each knows itself by its address.
    running = {name: hosts[name].start("up", "--port", "0") for name in NAMES}
    first = wait_until(lambda: next((n for n in NAMES if leads(running[n])()), ""), "a leaf", TAKES)
    write(hosts["beta"], "before")
    at = NAMES.index(first) + 1
    listing = [*networks.inside(at), "ss", "-Hltn"]
    told = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    listening = {line.split()[3].rpartition(":")[::2] for line in told.splitlines()}
    assert {place for place in listening if place[0] != "127.0.0.1"} == {
        (networks.address(at), str(port)) for port in (PORT, PORT + 1)
    }
    others = [name for name in NAMES if name != first]
    networks.part(at)
    try:
        second = wait_until(lambda: next((n for n in others if leads(running[n])()), ""), "another", TAKES)
        write(hosts[others[0]], "meanwhile")
    finally:
        networks.join(at)
    wait_until(lambda: f"the leaf runs at {second} now" in running[first].err, "that it stands by", TAKES)
    write(hosts[first], "after")
    assert [numbers(hosts[name]) for name in NAMES] == [[1] * 3] * 3
    for name in NAMES:
        verified = hosts[name].cim("verify")
        assert verified.code == 0, f"{name}, first {first}: {verified.out}{verified.err}"
