"""The hosts of a machine, as ``[cluster]`` in machine.toml names them: a node of its cluster on each.

Which of them this is, is told by name, or found by whose address is one of this host's own.
"""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from cim.domain.errors import Misdeclared
from cim.leaf.configuration import NODES

PORT = 7422
"""Where a node takes the machine's programs, unless its address says another; the routes of the other nodes
come to the port behind it."""

VARIABLE = "CIM_HOST"
"""What the environment may name this host by."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_ADDRESS = re.compile(r"([A-Za-z0-9][A-Za-z0-9.-]*)(?::([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Host:
    """One host: its ``number`` from 1, as it stands in the table, is that of its node, for good."""

    number: int
    name: str
    address: str
    port: int

    @classmethod
    def read(cls, number: int, name: str, written: str) -> Self:
        """A host as ``name = "address"`` or ``"address:port"`` says; raises :class:`Misdeclared`."""
        if not _NAME.fullmatch(name):
            raise Misdeclared(f"[cluster] {name!r}: a host's name is 1 to 32 of a-z, 0-9 and -")
        found = _ADDRESS.fullmatch(written)
        port = int(found[2] or PORT) if found else 0
        if not found or found[1] == "0.0.0.0" or not 0 < port < 65535:
            raise Misdeclared(
                f'[cluster] {name} = "{written}": that is no address of one host, with a port or without; '
                f'write {name} = "10.0.0.{number}" or "10.0.0.{number}:{PORT}"'
            )
        return cls(number, name, found[1], port)

    @property
    def url(self) -> str:
        """Where programs of the machine connect."""
        return f"nats://{self.address}:{self.port}"

    @property
    def route(self) -> str:
        """Where the other nodes connect."""
        return f"{self.address}:{self.port + 1}"


def read_hosts(written: Mapping[str, str]) -> tuple[Host, ...]:
    """The hosts of a table, in its order; raises :class:`Misdeclared` by name."""
    if not written:
        return ()
    hosts = tuple(Host.read(number, *one) for number, one in enumerate(written.items(), 1))
    if len(hosts) != NODES:
        even = " (of an even number, half are not enough, so that one more bears no more)"
        raise Misdeclared(
            f"[cluster] names {len(hosts)} hosts: there must be {NODES}{even if len(hosts) % 2 == 0 else ''}"
        )
    taken: dict[str, Host] = {}
    for host in hosts:
        for place in (f"{host.address}:{host.port}", host.route):
            if place in taken:
                raise Misdeclared(
                    f"[cluster] {taken[place].name} and {host.name} are both at {place}: a node takes its "
                    f"own port and the one behind it"
                )
            taken[place] = host
    return hosts


def find_host(hosts: tuple[Host, ...], name: str | None) -> Host:
    """The host that is named, or else the one whose address is this host's; raises :class:`Misdeclared`."""
    if name:
        for host in hosts:
            if host.name == name:
                if not _is_here(host):
                    raise Misdeclared(f"[cluster] {name} is at {host.address}: this host has no such address")
                return host
        raise Misdeclared(f"[cluster] knows no host {name!r}; there are: {_names(hosts)}")
    here = tuple(filter(_is_here, hosts))
    if len(here) == 1:
        return here[0]
    told = f"{_names(here)} are all addresses of this host" if here else "no address in it is this host's"
    raise Misdeclared(f"[cluster]: {told}: say which of {_names(hosts)} it is with --as or {VARIABLE}")


def _names(hosts: tuple[Host, ...]) -> str:
    return ", ".join(f"{host.name} ({host.address})" for host in hosts)


def _is_here(host: Host) -> bool:
    """Whether an address is one of this host's: only those can be listened at."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host.address, 0))
        except OSError:
            return False
        return True
