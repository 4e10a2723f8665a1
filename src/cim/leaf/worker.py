"""A process that runs systems for a leaf, one run after the other, within limits.

It holds no connection and no key: contents come and go through its pipe. What a stranger's file does
to it ends with it. Started as ``python -m cim.leaf.worker`` by :mod:`cim.leaf.worker_process`; with the
number of a socket behind it, it becomes a seed where it can be forked, see :mod:`cim.leaf.seed`.
"""

import asyncio
import os
import resource
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from cim.agents.steps import MODEL, Step
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.system import PLAIN, Read, SystemType
from cim.domain.blob import Blob
from cim.domain.errors import CimError, Failure, Unavailable
from cim.leaf import seed
from cim.leaf.asked import Asked
from cim.leaf.binding import Binding
from cim.leaf.called import Called
from cim.leaf.frames import Frame, Serve, packed, read_frame
from cim.leaf.machine import load_contexts, load_machine
from cim.leaf.models import Models


class EndsHere(BaseException):
    """A person is asked about what an agent wants to do, or it may work no more: its run ends here, and is
    made again later."""


class LeafGone(BaseException):
    """The leaf closed the pipe in the middle of a run: no module's code may catch this and go on."""


class Pipe:
    """The worker's end of the pipe, and the store of large content as its systems see it."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO) -> None:
        self._reader, self._writer = reader, writer

    def move_to(self, end: int) -> None:
        """Go on at one end of a socket: that of a worker that was forked."""
        self._reader.close()
        self._writer.close()
        self._reader, self._writer = os.fdopen(end, "rb"), os.fdopen(os.dup(end), "wb")

    def say(self, frame: Frame) -> None:
        """Send a frame."""
        self._writer.write(packed(frame))
        self._writer.flush()

    def hear(self) -> Frame | None:
        """The next frame; None when the leaf has gone."""
        return read_frame(self._reader.read)

    def step(self, kind: str) -> None:
        """Tell that the work goes on, with a step of some kind."""
        self.say(Frame("step", kind))

    def load(self, blob: Blob) -> bytes:
        """See :class:`cim.domain.blob.Blobs`."""
        return bytes(self._asked(Frame("load", blob.sha256), "content"))

    def keep(self, content: bytes, media: str) -> Blob:
        """See :class:`cim.domain.blob.Blobs`."""
        return codec.typed(self._asked(Frame("keep", media, content), "kept"), Blob)

    def ask(self, subject: str, operation: str, arguments: bytes) -> tuple[str, bytes]:
        """See :class:`cim.leaf.asked.Asking`."""
        answer = self._answer(Frame("ask", operation, [subject, arguments]), "answered")
        return answer.text, bytes(answer.data)

    def recall(self) -> tuple[str, list[Step]]:
        """See :class:`cim.agents.durable.Steps`."""
        found = self._answer(Frame("recall"), "recalled")
        return found.text, [codec.typed(one, Step) for one in found.data]

    def going(self, what: str) -> None:
        """See :class:`cim.agents.durable.Steps`."""
        self.say(Frame("think") if what == MODEL else Frame("step", what))

    def note(self, step: Step) -> None:
        """See :class:`cim.agents.durable.Steps`."""
        self._asked(Frame("note", "", codec.plain(step)), "noted")

    def act(self, think: int, number: int, tool: str, arguments: dict[str, Any]) -> Any:
        """See :class:`cim.agents.durable.Steps`."""
        return self._asked(Frame("act", tool, [think, number, arguments]), "acted")

    def _asked(self, frame: Frame, wanted: str) -> Any:
        return self._answer(frame, wanted).data

    def _answer(self, frame: Frame, wanted: str) -> Frame:
        self.say(frame)
        answer = self.hear()
        if answer is None:
            raise LeafGone
        if answer.kind == "unavailable":
            raise Unavailable(answer.text)
        if answer.kind == "end":
            raise EndsHere
        if answer.kind != wanted:
            raise Failure(answer.text)
        return answer


Systems = Mapping[str, tuple[SystemType, Mapping[str, Any]]]
"""Each system by its full name, with what it needs."""


def main(control: socket.socket | None = None) -> None:
    """Serve runs until the leaf closes the pipe, or let workers be forked who do."""
    pipe = _take_pipe()
    first = pipe.hear()
    if first is None:
        return
    serve = msgspec.convert(first.data, Serve)
    _limit(serve.memory_mb)
    opened = seed.what_is_open() if control is not None else frozenset[int]()
    try:
        systems = _systems(serve, pipe)
    except CimError as error:
        pipe.say(Frame("refused", str(error)))
        return
    hindrance = seed.hindrance(opened) if control is not None else ""
    if control is None or hindrance is not None:
        pipe.say(Frame("ready", hindrance or ""))
        _serve(pipe, systems)
        return

    def work(end: int) -> None:
        pipe.move_to(end)
        pipe.say(Frame("ready"))
        _serve(pipe, systems)

    pipe.say(Frame("seed"))
    seed.Seed(control, work).serve()


def _serve(pipe: Pipe, systems: Systems) -> None:
    while (frame := pipe.hear()) is not None:
        system, needs = systems[frame.text]
        try:
            pipe.say(_run(system, needs, frame.data, pipe))
        except LeafGone:
            return


def _take_pipe() -> Pipe:
    """Keep standard input and output for frames; what native code prints goes to standard error."""
    reader, writer = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return Pipe(reader, writer)


def _limit(memory: int) -> None:
    """No more than ``memory`` megabytes of data, and no core dumps of other people's papers."""
    most = memory * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _systems(serve: Serve, pipe: Pipe) -> Systems:
    machine = load_machine(Path(serve.folder))
    composition = compose(load_contexts(machine, serve.modules))
    binding = Binding(machine, pipe, lambda contract, over: Asked(contract, over.binding, pipe))
    chosen = [system for system in composition.systems if str(system) in serve.systems]
    models = Models(machine)
    return {
        str(system): (system, {**_needs(binding, system, pipe), **models.thinks(system, composition)})
        for system in chosen
    }


def _needs(binding: Binding, system: SystemType, pipe: Pipe) -> dict[str, Any]:
    return {
        name: provider if provider is pipe else Called(provider, system.needs[name], pipe.step)
        for name, provider in binding.needs(system).items()
    }


def _run(system: SystemType, needs: Mapping[str, Any], values: Mapping[str, Any], pipe: Pipe) -> Frame:
    try:
        given = {read.parameter: _value(read, values.get(read.parameter)) for read in system.reads}
        output = _made(system, {**given, **needs}, pipe)
        outputs = output if isinstance(output, tuple) else (output,)
        return Frame("done", "", [_said(one) for one in outputs])
    except EndsHere:
        return Frame("ended")
    except (Unavailable, ConnectionError, TimeoutError) as error:
        return Frame("unavailable", reason(error))
    except MemoryError:
        return Frame("failed", "it needs more memory than the machine allows a worker")
    except (Exception, SystemExit) as error:  # whatever a module's code raises is told, never lost
        return Frame("failed", reason(error))


_loop: asyncio.Runner | None = None


def _made(system: SystemType, given: Mapping[str, Any], pipe: Pipe) -> Any:
    """What a function comes to; one that is async goes on in an event loop that is kept, as its connections
    are."""
    global _loop
    if not system.waits:
        return system.function(**given)
    _loop = _loop or asyncio.Runner()
    if system.agent is None:
        return _loop.run(system.function(**given))
    from cim.agents.thinking import run  # it loads a library that takes seconds, which agents alone need

    return _loop.run(run(pipe, lambda: system.function(**given)))


def reason(error: BaseException) -> str:
    """What a module's code raised, in words: the machine's own errors are words already."""
    return str(error) if isinstance(error, CimError) else f"{type(error).__name__}: {error}"


def _value(read: Read, plain: Any) -> Any:
    if read.kind in PLAIN:
        return read.type
    return None if plain is None else codec.typed(plain, read.type)


def _said(output: Any) -> tuple[str, Any] | None:
    """An output by the name of its type and its plain value; whether it may be one the leaf decides."""
    return None if output is None else (type(output).__name__, codec.plain(output))


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])) if len(sys.argv) > 1 else None)
