"""What one nats-server is told: the file ``nats.conf`` of a leaf, and the ports it listens at."""

import hashlib
import json
import random
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from cim.leaf.accounts import Keys, public_key, server_accounts

Durability = Literal["dev", "durable", "ha"]
"""``dev``: synced to disk at the server's own pace. ``durable``: synced before a receipt is given.
``ha``: synced so on two of three nodes at least before a receipt is given."""

NODES = 3
"""How many nodes an ``ha`` machine has, and how many copies of everything."""

HOST = "127.0.0.1"
MAX_PAYLOAD = 8 * 1024 * 1024
MAX_LOG = 10 * 1024 * 1024

# Below what Linux and macOS hand out to outgoing connections: there, a client that tries to reach a server
# that is being started again could meet itself and hold the port.
_CHOICE = range(20_000, 32_000)


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports: of NATS clients, of WebSocket, of monitoring over HTTP where it is wanted, and of the
    other nodes' routes where there are others on this host.

    In a cluster of several hosts that of clients is at ``host`` and ``fixed``: the others know it.
    """

    client: int
    websocket: int
    monitor: int | None = None
    route: int | None = None
    host: str = HOST
    fixed: bool = False

    def taken(self) -> list[int]:
        """Those of the ports that another program listens at."""
        wanted = (self.websocket, self.monitor, self.route)
        here = [] if _is_free(self.client, self.host) else [self.client]
        return here + [port for port in wanted if port and not _is_free(port)]

    def others(self) -> "Ports":
        """Free ones in their place, but for what others know."""
        free = free_ports(monitor=self.monitor is not None, route=self.route is not None)
        return replace(free, client=self.client, host=self.host, fixed=True) if self.fixed else free


def free_ports(*, monitor: bool = False, route: bool = False) -> Ports:
    """Ports at which nobody listens now; somebody may, a moment later."""
    free = (port for port in random.sample(_CHOICE, len(_CHOICE)) if _is_free(port))
    return Ports(next(free), next(free), next(free) if monitor else None, next(free) if route else None)


@dataclass(frozen=True, slots=True)
class Member:
    """One of the nodes of a cluster: its number from 1, the address at which it takes the routes of the
    others (``host:port``), and theirs. Without an address of its own it is on loopback, at its own port.

    ``fixed`` are the host and port where it takes programs, if those of other hosts know them."""

    number: int
    others: tuple[str, ...]
    address: str = ""
    fixed: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that is told to the server of the leaf in ``folder``, but for the ports."""

    folder: Path
    keys: Keys
    origins: Sequence[str]
    cookie: str
    durability: Durability
    member: Member | None = None

    @property
    def file(self) -> Path:
        """Where the server reads it; the path also marks the process as ours."""
        return self.folder / "nats.conf"

    @property
    def pid_file(self) -> Path:
        """Where the server writes its process id."""
        return self.folder / "nats.pid"

    @property
    def log_file(self) -> Path:
        """Where the server tells what it does."""
        return self.folder / "nats.log"

    @property
    def store(self) -> Path:
        """The folder of JetStream."""
        return self.folder / "jetstream"

    @property
    def server_name(self) -> str:
        """One name a leaf and node, the same after each start: the others know a node by it."""
        return self.machine_name if self.member is None else f"{self.machine_name}-{self.member.number}"

    @property
    def machine_name(self) -> str:
        """One name a machine."""
        return f"leaf-{public_key(self.keys.machine)[1:13].lower()}"

    def free_ports(self) -> Ports:
        """Free ports of all kinds that this server needs."""
        return self._placed(free_ports(route=self.member is not None and not self.member.address))

    def _placed(self, ports: Ports) -> Ports:
        if self.member is None or self.member.fixed is None:
            return ports
        host, client = self.member.fixed
        return replace(ports, host=host, client=client, fixed=True)

    def last_ports(self) -> Ports | None:
        """The ports of the last start, where pages and workers of then look for the server again.

        None where there was no start, or where somebody else listens there now.
        """
        try:
            settings = json.loads(self.file.read_bytes())
            ports = Ports(int(settings["port"]), int(settings["websocket"]["port"]))
            if self.member is not None and not self.member.address:
                ports = replace(ports, route=int(settings["cluster"]["port"]))
        except (OSError, ValueError, LookupError, TypeError):
            return None
        ports = self._placed(ports)
        return None if ports.taken() else ports

    def text(self, ports: Ports) -> str:
        """The file's content: JSON, which the server's own format includes."""
        # By default the server takes three quarters of what is free when it starts, and never more.
        jetstream: dict[str, Any] = {"store_dir": str(self.store), "max_file_store": 1 << 50}
        if self.durability != "dev":
            jetstream["sync_interval"] = "always"
        settings: dict[str, Any] = {
            "server_name": self.server_name,
            "host": ports.host,
            "port": ports.client,
            "max_payload": MAX_PAYLOAD,
            "pid_file": str(self.pid_file),
            "log_file": str(self.log_file),
            "logfile_size_limit": MAX_LOG,
            "logfile_max_num": 3,
            "logtime": True,
            "jetstream": jetstream,
            "websocket": {
                "host": HOST,
                "port": ports.websocket,
                "no_tls": True,
                # An empty list of origins would let every page in; at the server's own origin there is none.
                "same_origin": not self.origins,
                "allowed_origins": list(self.origins),
                "jwt_cookie": self.cookie,
            },
        }
        if ports.monitor:
            settings["http"] = f"{HOST}:{ports.monitor}"
        if self.member is not None:
            settings["cluster"] = self._routes(self.member, ports)
        return json.dumps(settings | server_accounts(self.keys), indent=2, ensure_ascii=False)

    def _routes(self, member: Member, ports: Ports) -> dict[str, Any]:
        """How the nodes meet: nobody gets in without a word that only those who hold the keys can tell."""
        host, _, port = (member.address or f"{HOST}:{ports.route}").rpartition(":")
        word = hashlib.sha256(f"routes of {self.keys.operator}".encode()).hexdigest()
        return {
            "name": self.machine_name,
            "host": host,
            "port": int(port),
            "authorization": {"user": "node", "password": word, "timeout": 2},
            "routes": [f"nats-route://node:{word}@{other}" for other in member.others],
            # A program of the machine is told by its leaf where the nodes are, and by nobody else.
            "no_advertise": True,
        }


def _is_free(port: int, host: str = HOST) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
