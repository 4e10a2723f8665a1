"""Web servers of this process, on loopback."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from cim.domain.errors import CimError

HOST = "127.0.0.1"


class _Web(uvicorn.Server):
    """uvicorn without its own signal handlers: the command line has the process's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_web(app: Any, listening: socket.socket, what: str, *, lifespan: bool = False) -> None:
    """Serve an ASGI application until cancelled; then the web server closes its sockets itself: cancelled, it
    would leave them with the event loop. ``what`` names it, ``lifespan`` says whether it is told when that
    begins and ends."""
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on" if lifespan else "off")
    web = _Web(config)
    serving = asyncio.ensure_future(web.serve(sockets=[listening]))
    try:
        await asyncio.shield(serving)
        raise CimError(f"{what} ended by itself: start this command again")
    finally:
        web.should_exit = web.force_exit = True
        await asyncio.wait([serving])


def bind(
    port: int, tell: Callable[[str], None], *, alone: bool = False, what: str = "the page"
) -> socket.socket:
    """A listening socket on loopback at ``port``, or at the next free one, which is told; where it is to
    be ``alone``, there or nowhere."""
    others = (*range(port + 1, min(port + 100, 65536)), 0) if port and not alone else ()
    for candidate in (port, *others):
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, candidate))
            listening.listen(128)
        except OSError:
            listening.close()
            continue
        if candidate != port:
            tell(f"port {port} is taken: {what} is at {listening.getsockname()[1]} instead")
        return listening
    raise CimError(f"port {port} is taken" if alone else f"no port is free on {HOST}")
