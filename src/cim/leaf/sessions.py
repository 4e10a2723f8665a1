"""The page's sessions: tokens minted for the cookie, and read back by their signature alone.

Nothing is remembered, so that a page goes on with its session after the leaf was started again.
"""

import base64
from collections.abc import Sequence

import msgspec
import nkeys

from cim.leaf.accounts import Keys, page_token, public_key
from cim.ports.clock import Clock

LIFE = 3600
"""Seconds that a token is good for; the page renews it when the server cuts it off."""


class PageSessions:
    """Mints and reads the tokens of pages that may ask ``queries``."""

    def __init__(self, keys: Keys, queries: Sequence[str], clock: Clock) -> None:
        self._keys, self._queries, self._clock = keys, queries, clock
        self.cookie = self.cookie_of(keys)

    @staticmethod
    def cookie_of(keys: Keys) -> str:
        """The cookie's name: cookies know no ports, so each machine of a host needs one of its own."""
        return f"cim_{public_key(keys.machine)[1:13].lower()}"

    def token(self, session: str) -> str:
        """A token for a session, good for :data:`LIFE` seconds."""
        now = int(self._clock.now().timestamp())
        return page_token(self._keys, session, now + LIFE, self._queries, now=now)

    def session(self, token: str) -> str | None:
        """The session of a token that this leaf signed, be it expired; None for any other text."""
        try:
            signed, _, signature = token.rpartition(".")
            nkeys.from_seed(self._keys.page.encode()).verify(signed.encode(), _unpacked(signature))
            claims = msgspec.json.decode(_unpacked(signed.partition(".")[2]), type=dict[str, object])
        except (ValueError, msgspec.MsgspecError, nkeys.NkeysError, UnicodeError):
            return None
        kind, _, session = str(claims.get("name", "")).partition(" ")
        return session if kind == "page" else None


def _unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
