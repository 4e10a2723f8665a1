"""One connection to a leaf's server, with the errors of the client turned into the machine's own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import msgspec
import nats
from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from cim.ports.log import LinkLost, LogRefused


class Credentials(Protocol):
    """Who connects: a user's token, and its signature of the server's nonce (base64)."""

    def present(self) -> bytes:
        """The token."""
        ...

    def sign(self, nonce: str) -> bytes:
        """The signature."""
        ...


@asynccontextmanager
async def connect(
    url: str, credentials: Credentials, name: str, trouble: Callable[[str], None] = lambda reason: None
) -> AsyncIterator[Client]:
    """A connection with a user's credentials that reconnects for ever, closed on the way out.

    ``trouble`` is told of each loss and each return of the link.
    """

    closing = False

    async def on_lost() -> None:
        if not closing:
            trouble(f"{name}: the link to the leaf was lost")

    async def on_return() -> None:
        trouble(f"{name}: the link to the leaf is back")

    async def on_error(error: Exception) -> None:
        # The client reports each failed try to reconnect here; a loss is already told by on_lost.
        if not isinstance(error, (ConnectionError, OSError, errors.Error)):
            trouble(f"{name}: {type(error).__name__}: {error}")

    try:
        client = await nats.connect(
            url,
            name=name,
            user_jwt_cb=credentials.present,
            signature_cb=credentials.sign,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.05,
            ping_interval=10,
            max_outstanding_pings=2,
            connect_timeout=2,
            error_cb=on_error,
            disconnected_cb=on_lost,
            reconnected_cb=on_return,
        )
    except (errors.Error, OSError) as error:
        raise LinkLost(f"no connection to the leaf at {url}: {type(error).__name__} {error}") from error
    try:
        yield client
    finally:
        closing = True
        # A server that is gone cannot be drained; closing is enough, all writes were acknowledged.
        with suppress(errors.Error, asyncio.TimeoutError, OSError):
            await client.close()


async def ask(client: Client, subject: str, payload: bytes, patience: float = 2.0, **kwargs: Any) -> Msg:
    """One request; raises :class:`LinkLost` where no answer came, :class:`LogRefused` if too large."""
    try:
        answer = await client.request(subject, payload, timeout=patience, **kwargs)
        _end_if_cancelled()
        return answer
    except errors.MaxPayloadError as error:
        raise LogRefused(
            f"{subject}: {len(payload)} bytes are more than the leaf takes in one message "
            f"({client.max_payload}): put large content into a Blob"
        ) from error
    except (TimeoutError, errors.Error, OSError) as error:
        raise LinkLost(
            f"{subject}: no answer from the leaf: {type(error).__name__} {error}".rstrip()
        ) from error


def _end_if_cancelled() -> None:
    """Raise the cancellation that the client may have swallowed.

    It waits by ``asyncio.wait_for``, which on Python 3.11 returns the answer and forgets that its task
    was cancelled, when both happen at once (mended in Python 3.12).
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def ask_api(client: Client, call: str, body: Any, patience: float = 2.0) -> dict[str, Any]:
    """One call of the JetStream API; its answer as it stands, errors included."""
    answer = await ask(client, f"$JS.API.{call}", msgspec.json.encode(body), patience)
    return msgspec.json.decode(answer.data, type=dict[str, Any])


def refusal(answer: dict[str, Any]) -> tuple[int, str] | None:
    """The error of a JetStream answer as code and text; None for a good one."""
    error = answer.get("error")
    if error is None:
        return None
    return int(error.get("err_code", 0)), str(error.get("description", "unknown error"))
