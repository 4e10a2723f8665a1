"""The HTML document around the views: header, board, detail, uploads.

It carries no script and no style of its own, so that the policy can be strict; what the browser
needs to know stands as JSON in an element that is never run.
"""

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cim.views.template import View

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self' ws://127.0.0.1:* ws://localhost:*",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""The value of ``Content-Security-Policy`` that the page is served with."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that the page asks for: where it lies, and its content type."""

    file: Path
    media: str


BROWSER = Path(__file__).parent / "browser"
ASSETS: Mapping[str, Asset] = {
    "/cim.js": Asset(BROWSER / "cim.js", "text/javascript; charset=utf-8"),
    "/cim.css": Asset(BROWSER / "cim.css", "text/css; charset=utf-8"),
    "/cim.svg": Asset(BROWSER / "cim.svg", "image/svg+xml"),
}
"""What is to be served beside the page, by its path."""


@dataclass(frozen=True, slots=True)
class Upload:
    """The command that a file is handed in with, and its fields for the content and the file's name."""

    command: str
    blob: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """What one opened page is told.

    ``views`` maps the query's full name (``documents.board``) to the compiled view: one of scope
    "each" is the board, one of scope "one" the detail. ``session`` stands in its subjects,
    ``websockets`` are the ports of its NATS servers, ``lease`` the seconds between two renewals.
    """

    machine: str
    session: str
    websockets: tuple[int, ...]
    views: Mapping[str, View]
    upload: Upload | None = None
    lease: float = 10

    def as_data(self) -> dict[str, Any]:
        """What the browser reads from the element ``machine``."""
        upload = self.upload
        return {
            "machine": self.machine,
            "session": self.session,
            "websockets": list(self.websockets),
            "inbox": f"_INBOX_{self.session}",
            "lease": self.lease,
            "views": {view.name: {"query": query} | view.as_data() for query, view in self.views.items()},
            "upload": upload and {"command": upload.command, "blob": upload.blob, "text": upload.text},
        }


def render(page: Page) -> str:
    """The whole HTML document. Serve it with :data:`POLICY`, ``no-store`` and the session's cookie."""
    board = next((view for view in page.views.values() if view.scope == "each"), None)
    return DOCUMENT.format(
        machine=html.escape(page.machine),
        heads="".join(head(classes, text) for classes, text in (board.columns if board else ())),
        entity=html.escape(board.entity.__name__ if board else page.machine),
        add=ADD if page.upload else "",
        invitation=INVITATION if page.upload else "<h2>Nothing here yet</h2>",
        data=script_safe(page.as_data()),
    )


def head(classes: str, text: str) -> str:
    """The heading of one column."""
    return f'<span role="columnheader" class="{html.escape(classes)}">{html.escape(text)}</span>'


def script_safe(data: object) -> str:
    """JSON that cannot end the script element that it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


ADD = '<button type="button" class="primary" data-pick>Add files</button>'

INVITATION = """<svg viewBox="0 0 64 64" aria-hidden="true">
<path d="M16 6h22l12 12v40H16z"/><path d="M38 6v12h12"/><path d="M33 28v20M25 36l8-8 8 8"/></svg>
<h2>Drop a file to begin</h2>
<p>Anywhere on this page. Or <button type="button" class="linklike" data-pick>choose files</button>.</p>"""

DOCUMENT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{machine}</title>
<link rel="icon" href="/cim.svg" type="image/svg+xml">
<link rel="stylesheet" href="/cim.css">
<script type="application/json" id="machine">{data}</script>
<script type="module" src="/cim.js"></script>
</head>
<body data-empty>
<header class="top">
<h1>{machine}</h1>
<div id="progress" class="progress"><span id="progress-words" role="status" aria-live="polite"></span>
<progress id="progress-bar" value="0" max="1" aria-label="Read so far"></progress></div>
<div id="connection" class="connection" role="status" data-state="connecting"><span class="dot"></span>
<span id="connection-words">connecting</span></div>
{add}
</header>
<main>
<section id="board" class="board" aria-label="Board">
<div class="table" role="table" aria-label="{entity}">
<div role="rowgroup" class="heads"><div role="row" class="head">{heads}</div></div>
<div role="rowgroup" id="rows"></div>
</div>
<div class="empty">{invitation}</div>
</section>
<aside id="detail" class="detail" aria-label="Detail">
<button type="button" id="close" class="plain close" aria-label="Close detail">&times;</button>
<p id="missing" class="missing" hidden>There is no such entity, or not any more.</p>
<div id="sheet"></div>
</aside>
</main>
<ul id="uploads" class="uploads" aria-live="polite" aria-label="Uploads"></ul>
<input type="file" id="files" multiple hidden>
<div class="drop" aria-hidden="true"><p>Let go to hand it in</p></div>
<noscript><p class="missing">This page is live: it needs JavaScript.</p></noscript>
</body>
</html>
"""
