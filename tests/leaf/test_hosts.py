"""The hosts of a cluster as machine.toml names them, which of them this is, and what does not fit by name."""

from pathlib import Path

import pytest

from cim.domain.errors import Misdeclared
from cim.leaf.hosts import PORT, find_host, read_hosts
from cim.leaf.machine import load_machine
from cim.leaf.own_node import MARK, check_folders

HERE = {"alpha": "127.0.0.1", "beta": "198.51.100.2", "gamma": "198.51.100.3:7600"}


def test_hosts_are_numbered_as_they_stand_in_the_table(tmp_path: Path) -> None:
    text = 'name = "a"\nmodules = []\ndurability = "ha"\n[cluster]\n'
    (tmp_path / "machine.toml").write_text(text + "".join(f'{name} = "{at}"\n' for name, at in HERE.items()))
    hosts = load_machine(tmp_path).hosts
    assert [(host.number, host.name, host.url, host.route) for host in hosts] == [
        (1, "alpha", f"nats://127.0.0.1:{PORT}", f"127.0.0.1:{PORT + 1}"),
        (2, "beta", f"nats://198.51.100.2:{PORT}", f"198.51.100.2:{PORT + 1}"),
        (3, "gamma", "nats://198.51.100.3:7600", "198.51.100.3:7601"),
    ]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"alpha": "127.0.0.1"}, "names 1 hosts: there must be 3$"),
        (
            {f"h{n}": f"198.51.100.{n}" for n in range(4)},
            r"names 4 hosts: there must be 3 \(of an even number",
        ),
        ({**HERE, "beta": "127.0.0.1"}, f"alpha and beta are both at 127.0.0.1:{PORT}: "),
        ({**HERE, "beta": f"127.0.0.1:{PORT + 1}"}, f"alpha and beta are both at 127.0.0.1:{PORT + 1}: "),
        ({**HERE, "beta": "0.0.0.0"}, 'beta = "0.0.0.0": that is no address of one host'),
        ({**HERE, "beta": "198.51.100.2:99999"}, "no address of one host"),
        ({**HERE, "beta": "nats://198.51.100.2"}, "no address of one host"),
        ({**HERE, "Beta 2": "198.51.100.9"}, "a host's name is 1 to 32 of a-z, 0-9 and -"),
    ],
)
def test_what_is_wrong_in_the_table_is_told(written: dict[str, str], told: str) -> None:
    with pytest.raises(Misdeclared, match=told):
        read_hosts(written)


def test_a_cluster_needs_copies(tmp_path: Path) -> None:
    (tmp_path / "machine.toml").write_text('name = "a"\nmodules = []\n[cluster]\nalpha = "127.0.0.1"\n')
    with pytest.raises(Misdeclared, match=r'machine.toml: \[cluster\] needs durability = "ha"'):
        load_machine(tmp_path)


def test_this_host_is_found_by_its_address_or_told() -> None:
    hosts = read_hosts(HERE)
    assert find_host(hosts, None).name == find_host(hosts, "alpha").name == "alpha"
    with pytest.raises(Misdeclared, match=r"knows no host 'delta'; there are: alpha \(127.0.0.1\), beta"):
        find_host(hosts, "delta")
    with pytest.raises(Misdeclared, match=r"beta is at 198.51.100.2: this host has no such address"):
        find_host(hosts, "beta")


@pytest.mark.parametrize(
    ("beta", "told"),
    [
        ("127.0.0.2", r"alpha \(127.0.0.1\), beta \(127.0.0.2\) are all addresses of this host"),
        ("198.51.100.2", "no address in it is this host's"),
    ],
)
def test_where_the_addresses_do_not_tell_the_name_is_asked_for(beta: str, told: str) -> None:
    alpha = "127.0.0.1" if beta.startswith("127") else "198.51.100.1"
    with pytest.raises(Misdeclared, match=f"{told}: say which .* with --as or CIM_HOST"):
        find_host(read_hosts({**HERE, "alpha": alpha, "beta": beta}), None)


def test_a_history_at_the_wrong_place_is_refused(tmp_path: Path) -> None:
    hosts = read_hosts(HERE)
    for number in (1, 2):
        (tmp_path / f"node-{number}").mkdir()
    check_folders(tmp_path, hosts[0], lambda node: node.name == "node-1")
    with pytest.raises(Misdeclared, match="node-2 holds a history, and alpha is host 1 of"):
        check_folders(tmp_path, hosts[0], lambda node: True)
    check_folders(tmp_path, None, lambda node: True)
    (tmp_path / "node-2" / MARK).write_text("beta")
    with pytest.raises(Misdeclared, match=r"node-2 is the node of beta, one of several hosts"):
        check_folders(tmp_path, None, lambda node: True)
