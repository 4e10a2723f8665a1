"""Network namespaces, one a host, joined by a bridge in a namespace of its own. Needs to be root.

Nothing is made outside of them: what runs in one reaches its own loopback and the other hosts, nothing else.
"""

import os
import shutil
import subprocess
from contextlib import suppress

NETWORK = "10.213.7"


class NoNetworks(Exception):
    """None can be made here; the text says why."""


class Networks:
    """``count`` hosts, numbered from 1. Raises :class:`NoNetworks`, and leaves nothing behind then."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._hub = f"cim{os.getpid()}hub"
        if os.geteuid() != 0:
            raise NoNetworks("network namespaces can be made by root only")
        try:
            self._make()
        except (OSError, subprocess.CalledProcessError) as error:
            self.close()
            said = getattr(error, "stderr", b"") or b""
            raise NoNetworks(f"no network namespaces can be made here: {error} {said.decode()}") from error

    def address(self, host: int) -> str:
        """A host's address."""
        return f"{NETWORK}.{host}"

    def inside(self, host: int) -> list[str]:
        """How a program is run at a host: what stands before its command."""
        return [shutil.which("ip") or "ip", "netns", "exec", self._name(host)]

    def part(self, host: int) -> None:
        """Cut a host off from all others."""
        _ip("-n", self._hub, "link", "set", f"to{host}", "down")

    def join(self, host: int) -> None:
        """Let it reach them again."""
        _ip("-n", self._hub, "link", "set", f"to{host}", "up")

    def close(self) -> None:
        """Remove all of them; their links go with them."""
        for name in (*map(self._name, range(1, self._count + 1)), self._hub):
            with suppress(OSError, subprocess.CalledProcessError):
                _ip("netns", "del", name)

    def _name(self, host: int) -> str:
        return f"cim{os.getpid()}n{host}"

    def _make(self) -> None:
        _ip("netns", "add", self._hub)
        _ip("-n", self._hub, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._hub, "link", "set", "bridge", "up")
        for host in range(1, self._count + 1):
            name = self._name(host)
            _ip("netns", "add", name)
            ends = ("type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("-n", self._hub, "link", "add", f"to{host}", *ends)
            _ip("-n", self._hub, "link", "set", f"to{host}", "master", "bridge", "up")
            _ip("-n", name, "addr", "add", f"{self.address(host)}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            _ip("-n", name, "link", "set", "lo", "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
