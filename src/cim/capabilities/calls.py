"""Asking providers over NATS: one of those that serve a binding answers, or none in time, which is told.

A provider's operation may be called twice for one run (an answer that was lost, an instance that ended in the
middle); the first answer counts, and no later one is heard.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from nats.aio.client import Client

from cim.adapters.nats.lean import Lean, lean_of
from cim.adapters.nats.wire import Wire
from cim.capabilities import protocol
from cim.capabilities.circuit import Circuit
from cim.capabilities.instances import Tell, find_instances
from cim.capabilities.terms import Over
from cim.contract.block import parse_headers
from cim.contract.capability import ContractType
from cim.contract.envelope import header_block
from cim.domain.errors import Failure, Unavailable
from cim.log.backoff import delays
from cim.ports.clock import Clock
from cim.ports.log import LinkLost

BEAT = 1.0
"""Seconds after which an instance at work says so again."""

SILENT = 10.0
"""Seconds of silence after which an instance at work is taken to be gone."""

UNTAKEN = 2.0
"""Seconds after which a call that no instance has taken is asked of another: the first may stand still."""

FIRST, LONGEST = 0.005, 0.2
"""Seconds between two looks whether an instance is free."""

_NOBODY = b"NATS/1.0 503"


@dataclass(frozen=True, slots=True)
class Answered:
    """A result as it travels, and the id of the instance that gave it."""

    body: bytes
    provider: str


@dataclass(frozen=True, slots=True)
class OpenCircuit:
    """A binding that is left alone for now: why, and seconds until the next trial."""

    subject: str
    cause: str
    left: float


class Untaken(Exception):
    """No instance has begun a call; another one may be asked."""


@dataclass(eq=False, slots=True)
class _Bound:
    """A binding as this process asks it."""

    subject: str
    contract: ContractType
    terms: Over
    circuit: Circuit
    room: asyncio.Semaphore


@dataclass(eq=False, slots=True)
class _Replies:
    """What is said to one call; fulfils :class:`cim.adapters.nats.wire.Listener`."""

    said: "asyncio.Queue[tuple[bytes, bytes] | None]" = field(default_factory=asyncio.Queue)

    def take(self, subject: str, reply: str, block: bytes, body: bytes) -> None:
        self.said.put_nowait((block, body))

    def take_run(self, data: bytes, place: int) -> int:
        return place

    def lose(self) -> None:
        self.said.put_nowait(None)


class Calls:
    """The calls of one process, by the subjects at which its bindings begin."""

    def __init__(
        self, client: Client, bindings: Mapping[str, tuple[ContractType, Over]], clock: Clock, tell: Tell
    ) -> None:
        self._client, self._clock, self._tell = client, clock, tell
        self.bindings = bindings
        self._lean: Lean = lean_of(client)
        self._bound = {
            subject: _Bound(
                subject, kind, over, Circuit(over.failures, over.rest), asyncio.Semaphore(over.at_once)
            )
            for subject, (kind, over) in bindings.items()
        }

    def open_circuits(self) -> list[OpenCircuit]:
        """The bindings that are left alone now."""
        now = self._clock.monotonic()
        return [
            OpenCircuit(one.subject, one.circuit.cause, one.circuit.left(now))
            for one in self._bound.values()
            if one.circuit.is_open
        ]

    async def ask(self, subject: str, operation: str, body: bytes) -> Answered:
        """What a provider answers to a call of an operation of the binding at ``subject``.

        Raises :class:`Unavailable` where none does in time, :class:`Failure` with the provider's own words or
        where the call does not fit in a message, :class:`LinkLost` where the machine's server is away.
        """
        bound = self._bound.get(subject)
        if bound is None:
            raise Failure(f"{subject}: machine.toml binds nothing to it over NATS, as this leaf has read it")
        terms, circuit = bound.terms, bound.circuit
        if not circuit.enter(self._clock.monotonic()):
            left = circuit.left(self._clock.monotonic())
            raise Unavailable(
                f"{subject} is left alone for {left:.1f} s after {terms.failures} calls in a row without an "
                f"answer, the last: {circuit.cause}"
            )
        try:
            answered = await self._in_turn(bound, operation, body)
        except Unavailable as error:
            if circuit.failed(self._clock.monotonic(), str(error)):
                self._tell(f"{subject} is left alone, and tried again each {terms.rest:g} s: {error}")
            raise
        except Failure:
            self._worked(bound)
            raise
        except BaseException:
            circuit.gave_up()
            raise
        self._worked(bound)
        return answered

    def _worked(self, bound: _Bound) -> None:
        if bound.circuit.worked():
            self._tell(f"{bound.subject} answers again")

    async def _in_turn(self, bound: _Bound, operation: str, body: bytes) -> Answered:
        """Wait for room here and for an instance that is free, as long as a call may take."""
        terms, until = bound.terms, self._clock.monotonic() + bound.terms.seconds
        try:
            async with asyncio.timeout(terms.seconds):
                await bound.room.acquire()
        except TimeoutError as error:
            raise Unavailable(
                f"{bound.subject}: {terms.at_once} calls of it are under way, and none ended in "
                f"{terms.seconds:g} s"
            ) from error
        try:
            for delay in delays(FIRST, LONGEST):
                try:
                    return await self._once(bound, operation, body)
                except Untaken as untaken:
                    if self._clock.monotonic() + delay > until:
                        why = f"{bound.subject}: no instance took it in {terms.seconds:g} s: {untaken}"
                        raise Unavailable(why) from untaken
                await self._clock.sleep(delay)
        finally:
            bound.room.release()
        raise AssertionError("delays never end")

    async def _once(self, bound: _Bound, operation: str, body: bytes) -> Answered:
        """Ask once; raises :class:`Untaken` where the call was not begun."""
        wire, replies = await self._lean.wire(), _Replies()
        subject, seconds = f"{bound.subject}.{operation}", bound.terms.seconds
        block = header_block({protocol.BEAT: f"{BEAT:g}", protocol.SECONDS: f"{seconds:g}"})
        if len(block) + len(body) > wire.max_payload:
            raise Failure(
                f"{subject}: its arguments have {len(body):,} bytes, {wire.max_payload:,} fit in a message: "
                f"hand over less at once, or bind the contract in process"
            )
        number, inbox = wire.listen(replies)
        try:
            wire.publish(subject, inbox, block, body)
            return await self._heard(bound, wire, replies)
        finally:
            if not wire.closed:
                wire.hush(number)

    async def _heard(self, bound: _Bound, wire: Wire, replies: _Replies) -> Answered:
        """The last word of the instance that took a call."""
        subject, taken_by, end = bound.subject, "", 0.0
        while True:
            left = end - self._clock.monotonic() if taken_by else UNTAKEN
            try:
                async with asyncio.timeout(max(0.0, min(left, SILENT))):
                    said = await replies.said.get()
            except TimeoutError as error:
                wire.doubt()
                if not taken_by:
                    raise Untaken(f"none said in {UNTAKEN:g} s that it did") from error
                why = "took longer than" if left <= SILENT else "was at it, and is silent for"
                seconds = bound.terms.seconds if left <= SILENT else SILENT
                raise Unavailable(f"{subject}: the instance {taken_by} {why} {seconds:g} s") from error
            if said is None:
                raise LinkLost(f"{subject}: the connection was lost before the answer")
            block, body = said
            if block.startswith(_NOBODY):
                raise Unavailable(await self._nobody(bound.contract, bound.terms.binding))
            headers = parse_headers(block)
            who = headers.get(protocol.PROVIDER, "") or "without a name"
            if headers.get(protocol.STATE) != protocol.TAKEN:
                return _last_word(subject, headers, body, who)
            if not taken_by:
                taken_by, end = who, self._clock.monotonic() + bound.terms.seconds

    async def _nobody(self, contract: ContractType, binding: str) -> str:
        """Why nobody hears a call, in words: a provider of another version is no provider of this one."""
        what = f"{contract.name} version {contract.version} in binding {binding}"
        found = await find_instances(self._client, protocol.service(contract.name, binding))
        others = sorted({one.version for one in found} - {contract.version})
        if others:
            versions = ", ".join(map(str, others))
            return f"nobody provides {what}: there are providers of version {versions} only"
        return f"nobody provides {what}: start one with `cim provide {contract.name}`"


def _last_word(subject: str, headers: Mapping[str, str], body: bytes, who: str) -> Answered:
    """An answer, or the error that it is; raises that."""
    code = headers.get(protocol.CODE)
    if code is None:
        return Answered(body, who)
    text = body.decode(errors="replace") or headers.get(protocol.ERROR, "no reason given")
    match code:
        case protocol.BUSY:
            raise Untaken(text)
        case protocol.AWAY:
            raise Unavailable(f"{subject}: {text}")
        case protocol.FAILED:
            raise Failure(text)
        case _:
            raise Failure(f"the provider {who} at {subject} failed: {text}")
