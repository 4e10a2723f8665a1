"""A token by which a program on this host shows that it may use a machine: in a file of its owner's alone."""

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from cim.domain.errors import CimError
from cim.leaf.private import private_folder, write_private

TOKEN = "mcp.token"
"""The file of the token of ``cim mcp --http``. Who removes it has another one made at the next start."""

_LEAST = 32

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def token_of(state: Path) -> str:
    """The token of a machine, made once; raises :class:`CimError` for one that is too short to be any."""
    path = private_folder(state) / TOKEN
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32))
    found = path.read_text().strip()
    if len(found) < _LEAST:
        raise CimError(f"{path} holds no token of {_LEAST} characters: remove it, and another one is made")
    return found


class WithToken:
    """An ASGI application for those who send ``Authorization: Bearer`` with the token; others get 401."""

    def __init__(self, app: App, token: str) -> None:
        self._app, self._expected = app, f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "lifespan" and not self._may(scope):
            await send(
                {
                    "type": "http.response.start",
                    "status": 401,
                    "headers": [(b"www-authenticate", b"Bearer"), (b"content-type", b"text/plain")],
                }
            )
            await send({"type": "http.response.body", "body": b"send Authorization: Bearer and the token\n"})
            return
        await self._app(scope, receive, send)

    def _may(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(given) == 1 and secrets.compare_digest(given[0], self._expected)
