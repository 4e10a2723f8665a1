"""A connection that can be cut, held up, or made to lose what goes in one direction."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

HOST = "127.0.0.1"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """A port on loopback that leads to the port that ``target`` tells when somebody connects."""

    def __init__(self, target: Callable[[], int | None]) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._deaf: str | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen at a free port from now on."""
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut all and listen no more."""
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        """Break every connection."""
        for writer in tuple(self._open):
            writer.transport.abort()

    async def stall(self, seconds: float) -> None:
        """Hold up everything; nothing is lost."""
        self._flows.clear()
        await asyncio.sleep(seconds)
        self._flows.set()

    async def deafen(self, direction: str, seconds: float) -> None:
        """Lose what goes ``there`` or ``back``; then all connections break, as they have a gap."""
        self._deaf = direction
        await asyncio.sleep(seconds)
        self._deaf = None
        self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = self._target()
        try:
            if port is None:
                raise ConnectionRefusedError
            there = await asyncio.open_connection(HOST, port)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, there[1]}
        pumps = [
            asyncio.create_task(self._pump(reader, there[1], "there")),
            asyncio.create_task(self._pump(there[0], writer, "back")),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for one in (writer, there[1]):
                one.transport.abort()
                self._open.discard(one)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._flows.wait()
                if self._deaf != way:
                    writer.write(data)
                    await writer.drain()
