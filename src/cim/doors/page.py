"""The door for the browser: the page, its session, files handed in, pictures handed out.

Any web page may send requests to loopback. So each request must name this host, one that changes
anything must come from our own origin, and all but the page itself need the session's cookie, which
a browser sends from our own pages only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from cim.contract import codec
from cim.contract.composition import Composition
from cim.contract.entity import key_of
from cim.contract.envelope import Origin
from cim.contract.subjects import Ref
from cim.domain.errors import CimError
from cim.doors.commands import CommandDoor
from cim.doors.intake import LARGEST, TooLarge, check_size, take_in
from cim.doors.media import media_of
from cim.log.append import OutcomeUnknown
from cim.ports.blobs import BlobMissing, BlobStore
from cim.ports.clock import Entropy
from cim.ports.log import LinkLost
from cim.views.page import ASSETS, POLICY, Page, render

SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What a browser may show as it is; anything else is a download of plain bytes."""

_FORM_ROOM = 64 * 1024


class Sessions(Protocol):
    """Who mints and reads the tokens that the page's cookie carries."""

    cookie: str

    def token(self, session: str) -> str:
        """A fresh token for a session."""
        ...

    def session(self, token: str) -> str | None:
        """The session of a token that we made, expired ones included; None for any other."""
        ...


@dataclass(frozen=True, slots=True)
class PageDoor:
    """What the browser's door opens to. ``page`` is the page without a session."""

    page: Page
    sessions: Sessions
    origins: tuple[str, ...]
    composition: Composition
    commands: CommandDoor
    blobs: BlobStore
    entropy: Entropy
    trouble: Callable[[str], None]

    def app(self) -> Starlette:
        """The door as an ASGI application."""
        assets = [Route(path, self._asset) for path in ASSETS]
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/session", self._renew, methods=["POST"]),
                Route("/commands/{name}", self._command, methods=["POST"]),
                Route("/blobs/{sha256}", self._blob),
                *assets,
            ],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
            exception_handlers={CimError: _told, HTTPException: _told},
        )

    async def _page(self, request: Request) -> Response:
        session = self._session(request) or self.entropy.new_id()
        text = render(replace(self.page, session=session))
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store", **_COMMON}
        return self._with_cookie(HTMLResponse(text, headers=headers), session)

    async def _renew(self, request: Request) -> Response:
        self._check_origin(request)
        return self._with_cookie(Response(status_code=204, headers=_COMMON), self._known(request))

    async def _asset(self, request: Request) -> Response:
        asset = ASSETS[request.url.path]
        return FileResponse(
            asset.file, media_type=asset.media, headers={"Cache-Control": "no-cache", **_COMMON}
        )

    async def _command(self, request: Request) -> Response:
        self._check_origin(request)
        session = self._known(request)
        context, _, name = request.path_params["name"].partition(".")
        kind = self.composition.command(context, name)
        command = await take_in(kind, name, await _fields(request), self.blobs)
        origin = Origin.root(request.headers.get("cim-id") or self.entropy.new_id(), f"page:{session}")
        ref = Ref(kind.context, kind.name, key_of(kind, command))
        answer = await self._submit(ref, name, codec.encode([codec.item(command)]), origin)
        if "rejected" in answer:
            return _json({**answer, "entity": ref.id}, 409)
        return _json(answer, 200)

    async def _submit(self, ref: Ref, name: str, body: bytes, origin: Origin) -> dict[str, Any]:
        try:
            return await self.commands.submit(ref, name, body, origin)
        except CimError:
            raise
        except Exception as error:  # a module's own decide
            self.trouble(f"{ref}: {name}: {type(error).__name__}: {error}")
            raise HTTPException(500, f"the machine failed on it: {type(error).__name__}: {error}") from error

    async def _blob(self, request: Request) -> Response:
        self._known(request)
        try:
            content = await self.blobs.load(request.path_params["sha256"])
        except BlobMissing as missing:
            return _json({"error": str(missing)}, 404)
        media = media_of(content)
        headers = {"Content-Security-Policy": "default-src 'none'; sandbox", **_COMMON}
        headers["Cache-Control"] = "private, max-age=31536000, immutable"
        if media not in SHOWN:
            media, headers["Content-Disposition"] = "application/octet-stream", "attachment"
        return Response(content, media_type=media, headers=headers)

    def _session(self, request: Request) -> str | None:
        token = request.cookies.get(self.sessions.cookie)
        return None if token is None else self.sessions.session(token)

    def _known(self, request: Request) -> str:
        session = self._session(request)
        if session is None:
            raise HTTPException(401, "this browser has no session here: load the page first")
        return session

    def _check_origin(self, request: Request) -> None:
        origin = request.headers.get("origin")
        if origin not in self.origins:
            raise HTTPException(
                403, f"requests from {origin or 'nowhere'} are not taken: use {self.origins[0]}"
            )

    def _with_cookie(self, response: Response, session: str) -> Response:
        token = self.sessions.token(session)
        response.set_cookie(self.sessions.cookie, token, httponly=True, samesite="strict", path="/")
        return response


_COMMON: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


async def _fields(request: Request) -> dict[str, str | bytes]:
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise HTTPException(411, "the request must tell its length")
    if int(length) > LARGEST + _FORM_ROOM:
        check_size(int(length), "the file")
    fields: dict[str, str | bytes] = {}
    async with request.form(max_files=4, max_fields=32, max_part_size=_FORM_ROOM) as form:
        for name, value in form.multi_items():
            fields[name] = await value.read() if isinstance(value, UploadFile) else value
    return fields


def _told(request: Request, error: Exception) -> Response:
    match error:
        case HTTPException():
            return _json({"error": error.detail}, error.status_code)
        case LinkLost() | OutcomeUnknown():
            return _json({"error": str(error)}, 503)
        case TooLarge():
            return _json({"error": str(error)}, 413)
        case _:
            return _json({"error": str(error)}, 400)


def _json(data: Any, status: int) -> Response:
    return JSONResponse(data, status_code=status, headers={"Cache-Control": "no-store", **_COMMON})
