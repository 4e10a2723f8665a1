"""The page's sessions: read back by signature alone, renewed however old, forged by nobody."""

import base64
import json
from datetime import UTC, datetime

import pytest

from cim.leaf.accounts import Keys, machine_credentials, page_token
from cim.leaf.sessions import LIFE, PageSessions
from cim.testing.clock import HandClock

KEYS, OTHERS = Keys.make(1_000), Keys.make(1_000)
SESSION = "0123456789abcdef"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def sessions(clock: HandClock) -> PageSessions:
    return PageSessions(KEYS, ["notes.board"], clock)


def expiry(token: str) -> datetime:
    part = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return datetime.fromtimestamp(claims["exp"], UTC)


def test_a_token_is_good_for_its_life(sessions: PageSessions, clock: HandClock) -> None:
    assert (expiry(sessions.token(SESSION)) - clock.now()).total_seconds() == pytest.approx(LIFE, abs=1)


def test_an_expired_token_of_ours_renews_the_same_session(sessions: PageSessions, clock: HandClock) -> None:
    token = sessions.token(SESSION)
    clock.move(30 * 24 * 3600)
    assert expiry(token) < clock.now()
    assert sessions.session(token) == SESSION
    assert expiry(sessions.token(SESSION)) > clock.now()


def test_a_session_outlives_the_leaf_that_gave_it(sessions: PageSessions) -> None:
    assert PageSessions(KEYS, ["other.view"], HandClock()).session(sessions.token(SESSION)) == SESSION


def altered(token: str) -> list[str]:
    """The token with each of its parts changed in one letter."""
    parts = token.split(".")
    return [
        ".".join([*parts[:i], part[:20] + ("A" if part[20] != "A" else "B") + part[21:], *parts[i + 1 :]])
        for i, part in enumerate(parts)
    ]


def of_another_name(token: str) -> str:
    """The token with another session in its claims, signed as before."""
    head, claims, signature = token.split(".")
    text = base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)).replace(SESSION.encode(), b"f" * 16)
    return f"{head}.{base64.urlsafe_b64encode(text).decode().rstrip('=')}.{signature}"


TOKEN = page_token(KEYS, SESSION, 2_000_000_000, [], now=1_000)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "ö.ü.ß",
        "a" * 10_000,
        TOKEN.rpartition(".")[0],
        TOKEN.rpartition(".")[0] + ".",
        TOKEN + "A",
        TOKEN.upper(),
        of_another_name(TOKEN),
        *altered(TOKEN),
        page_token(OTHERS, SESSION, 2_000_000_000, [], now=1_000),
        machine_credentials(KEYS).jwt,
    ],
)
def test_any_other_text_is_no_session(sessions: PageSessions, token: str) -> None:
    assert sessions.session(token) is None


def test_each_machine_of_a_host_has_a_cookie_of_its_own(sessions: PageSessions) -> None:
    assert sessions.cookie == PageSessions.cookie_of(KEYS)
    assert sessions.cookie != PageSessions.cookie_of(OTHERS)
    assert sessions.cookie.replace("_", "").isalnum()
