"""A process that has loaded everything, and from which workers are forked.

A worker comes from it in milliseconds and shares its memory until one of both writes there. It does no
run itself, so that no stranger's file comes near it. The leaf asks it over a socket of its own, in
frames, a message each:

| from | frame | with it |
| --- | --- | --- |
| leaf | ``fork`` with a number | the worker's end of its pipe |
| seed | ``forked`` with the number and the worker's pid | a pidfd of the worker |
| seed | ``refused`` with the number and the reason | |
| seed | ``ended`` with the number and the return code | |
"""

import gc
import os
import random
import select
import signal
import socket
import sys
from collections.abc import Callable
from typing import NoReturn

from cim.leaf import die_with_parent
from cim.leaf.frames import LENGTH, Frame, packed, unpacked

MESSAGE = 4096
"""Bytes of a message, at the most."""

_HARMLESS = ("/dev/null", "/dev/urandom", "/dev/random")


def what_is_open() -> frozenset[int]:
    """The files that this process has open now."""
    listed = os.listdir("/proc/self/fd")
    # The listing itself was open, too, and is not any more.
    return frozenset(int(name) for name in listed if os.path.lexists(f"/proc/self/fd/{name}"))


def hindrance(opened_before: frozenset[int]) -> str | None:
    """Why this process cannot be forked; None where it can.

    A fork has the one thread that made it, and none to free the locks that others held. What is opened
    in loading (a connection, a file that is being read) would be shared by all workers.
    """
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        return f"loading left {threads} threads"
    for number in what_is_open() - opened_before:
        file = os.readlink(f"/proc/self/fd/{number}")
        if file not in _HARMLESS:
            return f"loading left {file} open"
    return None


class Seed:
    """Forks workers, each of which does ``work`` at its end of a pipe, until the leaf has gone."""

    def __init__(self, control: socket.socket, work: Callable[[int], None]) -> None:
        self._control, self._work = control, work
        # By pidfd: the number by which the leaf knows it.
        self._workers: dict[int, str] = {}
        self._poll = select.poll()

    def serve(self) -> None:
        """Until the leaf closes its end."""
        sys.stdout.flush()  # or each worker would say it again
        # What the collector leaves alone is not written to, and stays shared.
        gc.collect()
        gc.freeze()
        self._poll.register(self._control, select.POLLIN)
        while True:
            for file, _ in self._poll.poll():
                if file != self._control.fileno():
                    self._tell_end(file)
                elif not self._asked():
                    return

    def _asked(self) -> bool:
        message, files, _, _ = socket.recv_fds(self._control, MESSAGE, 1, socket.MSG_CMSG_CLOEXEC)
        if not message:
            return False
        self._fork(unpacked(message[LENGTH:]).text, files[0])
        return True

    def _fork(self, number: str, end: int) -> None:
        seed = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(end)
            self._say(Frame("refused", number, f"it cannot be forked: {error.strerror}"))
            return
        if pid == 0:
            self._become_worker(seed, end)
        os.close(end)
        pidfd = os.pidfd_open(pid)
        self._workers[pidfd] = number
        self._poll.register(pidfd, select.POLLIN)
        self._say(Frame("forked", number, pid), pidfd)

    def _become_worker(self, seed: int, end: int) -> NoReturn:
        try:
            die_with_parent.die_with(seed, signal.SIGKILL)
            os.setsid()
            self._control.close()
            for pidfd in self._workers:
                os.close(pidfd)
            _throw_dice_anew()
            self._work(end)
        except SystemExit:  # the seed is gone already
            os._exit(1)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)

    def _tell_end(self, pidfd: int) -> None:
        ended = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
        assert ended is not None
        code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        self._poll.unregister(pidfd)
        os.close(pidfd)
        self._say(Frame("ended", self._workers.pop(pidfd), code))

    def _say(self, frame: Frame, *files: int) -> None:
        socket.send_fds(self._control, [packed(frame)], files)


def _throw_dice_anew() -> None:
    """Workers of one seed would draw the same numbers."""
    random.seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
