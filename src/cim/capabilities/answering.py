"""Being one of the instances that provide a contract over NATS: it takes calls, works in threads, answers.

It says of each call at once whether it takes it, and while it is at it that it goes on. When it closes it
takes no more, ends what it has, and then goes.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from cim.capabilities import protocol
from cim.capabilities.instances import PREFIX, VERBS, Instance, Tell
from cim.contract.capability import ContractType, Lied, Operation
from cim.contract.codec import BadBody
from cim.domain.errors import CimError, Failure, Unavailable
from cim.ports.clock import Clock, stamp

QUEUE = "provider"
"""The queue group of all instances of a binding."""

LATE = 1.0
"""Seconds more than its caller waits, after which a call is taken to hang."""


AT_ONCE = 0.1
"""Seconds in which an answer says by itself that the call was taken."""


class Hangs(CimError):
    """A call does not end: its thread cannot be stopped but with the process."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is said to a call: its headers and body."""

    headers: Mapping[str, str]
    body: bytes


class Answering:
    """One instance. ``provider`` fulfils ``contract``; ``use`` says what it is; ``at_once`` calls at once."""

    def __init__(
        self,
        client: Client,
        contract: ContractType,
        provider: Any,
        binding: str,
        id: str,
        clock: Clock,
        tell: Tell,
        *,
        use: str,
        at_once: int,
    ) -> None:
        self._client, self._contract, self._provider, self._binding = client, contract, provider, binding
        self._clock, self._tell, self._use = clock, tell, use
        self.id, self.at_once = id, at_once
        self._since = stamp(clock)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix=contract.name)
        self._heard: list[Subscription] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._done: dict[str, int] = dict.fromkeys(contract.operations, 0)
        self._failed: dict[str, int] = dict.fromkeys(contract.operations, 0)
        self._draining = False
        self._hangs: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def service(self) -> str:
        """Its name as a NATS service."""
        return protocol.service(self._contract.name, self._binding)

    async def open(self) -> None:
        """Take calls from now on; the server has heard of it when this ends."""
        for verb in VERBS:
            base = f"{PREFIX}.{verb}"
            for subject in (base, f"{base}.{self.service}", f"{base}.{self.service}.{self.id}"):
                await self._client.subscribe(subject, cb=partial(self._tell_of_itself, verb))
        for operation in self._contract.operations.values():
            subject = f"{self._contract.subject(self._binding)}.{operation.name}"
            take = partial(self._take, operation)
            self._heard.append(await self._client.subscribe(subject, queue=QUEUE, cb=take))
        await self._client.flush()

    async def until_hangs(self) -> None:
        """Wait until a call hangs; raises :class:`Hangs` then."""
        await asyncio.shield(self._hangs)

    async def close(self) -> None:
        """Take no more calls, and answer those that were taken, but for those that hang."""
        self._draining = True
        for one in self._heard:
            await one.drain()  # type: ignore[no-untyped-call]
        while self._under_way:
            await asyncio.wait(self._under_way)
        await self._client.flush()
        self._threads.shutdown(wait=False)

    async def _take(self, operation: Operation, message: Msg) -> None:
        if len(self._under_way) >= self.at_once:
            text = f"the instance {self.id} has {self.at_once} calls under way"
            await self._say(message, self._error(protocol.BUSY, text))
            return
        task = asyncio.create_task(self._serve(operation, message))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _serve(self, operation: Operation, message: Msg) -> None:
        headers = message.headers or {}
        beat, seconds = _number(headers, protocol.BEAT), _number(headers, protocol.SECONDS)
        work = asyncio.get_running_loop().run_in_executor(
            self._threads, self._worked, operation, message.data
        )
        end = None if seconds is None else self._clock.monotonic() + seconds + LATE
        await asyncio.wait([work], timeout=AT_ONCE)
        while not work.done():
            if end is not None and self._clock.monotonic() > end:
                self._give_up(operation, seconds)
                return
            if beat is not None:
                state = {protocol.PROVIDER: self.id, protocol.STATE: protocol.TAKEN}
                await self._say(message, Reply(state, b""))
            await asyncio.wait([work], timeout=beat or LATE)
        reply = work.result()
        counts = self._failed if protocol.CODE in reply.headers else self._done
        counts[operation.name] += 1
        await self._say(message, self._fitting(operation, reply))

    def _worked(self, operation: Operation, body: bytes) -> Reply:
        """In a thread: the answer to a call, or what went wrong."""
        try:
            given = operation.given(body)
            called = getattr(self._provider, operation.name)
            answer = operation.answer(asyncio.run(called(**given)) if operation.waits else called(**given))
            operation.result_of(answer)
            return Reply({protocol.PROVIDER: self.id}, answer)
        except (Unavailable, ConnectionError, TimeoutError) as error:
            return self._error(protocol.AWAY, _words(error))
        except Lied as lie:
            return self._error(protocol.BROKE, f"{self._use} lied: {operation}: {lie}")
        except BadBody as error:
            return self._error(protocol.BROKE, str(error))
        except Failure as error:
            return self._error(protocol.FAILED, str(error))
        except Exception as error:  # whatever a provider's code raises is told, never lost
            return self._error(protocol.BROKE, _words(error))

    def _fitting(self, operation: Operation, reply: Reply) -> Reply:
        room = self._client.max_payload - 1024
        if len(reply.body) <= room:
            return reply
        text = f"the answer of {operation} has {len(reply.body):,} bytes, {room:,} fit in a message"
        return self._error(protocol.BROKE, text)

    def _give_up(self, operation: Operation, seconds: float | None) -> None:
        if not self._hangs.done():
            self._hangs.set_exception(
                Hangs(f"a call of {operation} does not end; it had {seconds:g} s: this instance ends")
            )
            self._hangs.exception()

    def _error(self, code: str, text: str) -> Reply:
        return Reply(protocol.error_headers(code, text, self.id), text.encode(errors="replace"))

    async def _say(self, message: Msg, reply: Reply) -> None:
        if message.reply:
            await self._client.publish(message.reply, reply.body, headers=dict(reply.headers))

    async def _tell_of_itself(self, verb: str, message: Msg) -> None:
        if message.reply:
            await self._client.publish(message.reply, msgspec.json.encode(self._told(verb)))

    def _told(self, verb: str) -> dict[str, Any]:
        """The answer to a word of the protocol of NATS services."""
        it = self._instance()
        metadata = {"binding": self._binding, "host": it.host, "pid": str(it.pid), "provider": self._use}
        identity = {
            "type": f"io.nats.micro.v1.{verb.lower()}_response",
            "name": self.service,
            "id": self.id,
            "version": f"{self._contract.version}.0.0",
            "metadata": metadata,
        }
        match verb:
            case "PING":
                return identity
            case "INFO":
                description = f"provides {self._contract.name} version {self._contract.version}"
                return identity | {"description": description, "endpoints": self._endpoints()}
            case _:
                endpoints = [one | self._counts(one["name"]) for one in self._endpoints()]
                return identity | {"started": self._since, "endpoints": endpoints}

    def _endpoints(self) -> list[dict[str, Any]]:
        base = self._contract.subject(self._binding)
        return [
            {"name": name, "subject": f"{base}.{name}", "queue_group": QUEUE, "metadata": {}}
            for name in self._contract.operations
        ]

    def _counts(self, operation: str) -> dict[str, Any]:
        return {
            "num_requests": self._done[operation] + self._failed[operation],
            "num_errors": self._failed[operation],
            "last_error": "",
            "processing_time": 0,
            "average_processing_time": 0,
            "data": msgspec.to_builtins(self._instance()),
        }

    def _instance(self) -> Instance:
        return Instance(
            id=self.id,
            contract=self._contract.name,
            version=self._contract.version,
            binding=self._binding,
            provider=self._use,
            host=socket.gethostname(),
            pid=os.getpid(),
            since=self._since,
            working=len(self._under_way),
            at_once=self.at_once,
            done=sum(self._done.values()),
            failed=sum(self._failed.values()),
            draining=self._draining,
        )


def _number(headers: Mapping[str, str], name: str) -> float | None:
    """Seconds that a header says; None where it says none."""
    try:
        number = float(headers[name])
    except (LookupError, ValueError):
        return None
    return number if 0 < number < float("inf") else None


def _words(error: BaseException) -> str:
    return str(error) if isinstance(error, CimError) else f"{type(error).__name__}: {error}"
