"""A seed as the leaf sees it, and the workers that were forked from it."""

import asyncio
import itertools
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

from cim.domain.errors import Misdeclared
from cim.leaf.frames import LENGTH, Frame, Serve, packed, unpacked
from cim.leaf.seed import MESSAGE
from cim.leaf.worker_process import NICE, START, Gone, Worker


class Forked:
    """A process that was forked from the seed; fulfils :class:`cim.leaf.worker_process.Process`.

    It is another's child: a pidfd tells it from a later process with its number, and the seed tells how it
    ended.
    """

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid, self._pidfd = pid, pidfd
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def returncode(self) -> int | None:
        """See the protocol."""
        return self._ended.result() if self._ended.done() else None

    def kill(self) -> None:
        """See the protocol."""
        if not self._ended.done():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def wait(self) -> int:
        """See the protocol."""
        return await asyncio.shield(self._ended)

    def ended(self, code: int) -> None:
        """Take note of its end."""
        if not self._ended.done():
            self._ended.set_result(code)
            os.close(self._pidfd)

    def orphaned(self) -> None:
        """The seed is gone, and with it, by the kernel, this process."""
        loop = asyncio.get_running_loop()

        def seen() -> None:
            loop.remove_reader(self._pidfd)
            self.ended(-signal.SIGKILL)

        loop.add_reader(self._pidfd, seen)


class SeedProcess:
    """One process that workers are forked from."""

    def __init__(self, itself: Worker, control: socket.socket) -> None:
        self._itself, self._control = itself, control
        self._numbers = itertools.count()
        self._awaited: dict[str, asyncio.Future[Forked]] = {}
        self._forked: dict[str, Forked] = {}
        self._is_gone = False
        control.setblocking(False)
        asyncio.get_running_loop().add_reader(control, self._heard)

    @classmethod
    async def start(cls, serve: Serve, *, behind: bool) -> "tuple[SeedProcess, None] | tuple[Worker, str]":
        """Start one; where nothing can be forked from it, the worker that it is, and why.

        Raises as :meth:`Worker.start` does.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                itself, first = await Worker.load(serve, theirs, behind=behind)
        except BaseException:
            ours.close()
            raise
        if first.kind == "seed":
            return cls(itself, ours), None
        ours.close()
        return itself, first.text

    @property
    def is_gone(self) -> bool:
        """Whether nothing can be forked from it any more."""
        return self._is_gone

    async def fork(self) -> Worker:
        """A worker that is ready. Raises :class:`Gone`, also where the seed is, or :class:`Misdeclared`."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                forked = await self._asked(theirs)
        except BaseException:
            ours.close()  # one that is forked all the same ends by this
            raise
        worker = Worker(forked, *await asyncio.open_connection(sock=ours))
        try:
            await worker.hear()
        except BaseException:
            await worker.end()
            raise
        worker.stand_back(NICE)
        return worker

    async def _asked(self, end: socket.socket) -> Forked:
        number = str(next(self._numbers))
        answer: asyncio.Future[Forked] = asyncio.get_running_loop().create_future()
        self._awaited[number] = answer
        try:
            socket.send_fds(self._control, [packed(Frame("fork", number))], [end.fileno()])
            async with asyncio.timeout(START):
                return await answer
        except (OSError, TimeoutError) as error:
            if isinstance(error, TimeoutError):
                self._itself.process.kill()  # whatever keeps it, another will do
            manner = await self._itself.manner()
            raise Gone(f"the process that it was to be forked from is gone: {manner}") from error
        finally:
            del self._awaited[number]

    def _heard(self) -> None:
        try:
            message, files, _, _ = socket.recv_fds(self._control, MESSAGE, 1, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            message, files = b"", []
        if message:
            self._take(unpacked(message[LENGTH:]), files)
        else:
            self._lost()

    def _take(self, said: Frame, files: list[int]) -> None:
        answer = self._awaited.get(said.text)
        match said.kind:
            case "forked":
                forked = self._forked[said.text] = Forked(said.data, files[0])
                if answer is None or answer.done():  # nobody waits for it any more
                    forked.kill()
                else:
                    answer.set_result(forked)
            case "refused" if answer is not None and not answer.done():
                answer.set_exception(Misdeclared(said.data))
            case "ended":
                self._forked.pop(said.text).ended(said.data)
            case _:
                pass

    def _lost(self) -> None:
        self._is_gone = True
        asyncio.get_running_loop().remove_reader(self._control)
        self._control.close()
        for answer in self._awaited.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError("the seed is gone"))
        for forked in self._forked.values():
            forked.orphaned()

    async def end(self) -> None:
        """Kill it, and wait until it is gone; its workers go with it."""
        await self._itself.end()
        if not self._is_gone:
            self._lost()


class Nursery:
    """Where workers come from: forked from a seed where that can be, or else started one by one.

    ``can_fork`` is taken to hold on Linux until a seed says otherwise.
    """

    def __init__(self, serve: Serve, tell: Callable[[str], None]) -> None:
        self._serve, self._tell = serve, tell
        self._seed: SeedProcess | None = None
        self.can_fork = sys.platform == "linux" and hasattr(os, "pidfd_open")
        self._loading = asyncio.Lock()

    async def worker(self, *, behind: bool) -> Worker:
        """A worker that is ready; what is loaded for it stands back only if ``behind``.

        Raises :class:`Gone` if it ended meanwhile, :class:`Misdeclared` if it cannot be.
        """
        async with self._loading:
            if self.can_fork and (self._seed is None or self._seed.is_gone):
                alone = await self._sow(behind)
                if alone is not None:
                    return alone
        if self._seed is not None:
            return await self._seed.fork()
        return await Worker.start(self._serve, behind=behind)

    async def _sow(self, behind: bool) -> Worker | None:
        """Have a seed; where none can be, the worker that came in its place."""
        if self._seed is not None:
            await self._seed.end()
        started, why = await SeedProcess.start(self._serve, behind=behind)
        if isinstance(started, SeedProcess):
            self._seed = started
            return None
        self.can_fork, self._seed = False, None
        self._tell(f"each worker loads everything for itself, for it cannot be forked: {why}")
        return started

    async def close(self) -> None:
        """End the seed."""
        if self._seed is not None:
            await self._seed.end()
