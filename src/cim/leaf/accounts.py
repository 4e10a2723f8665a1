"""Who may say what on a leaf's server: one operator, its accounts, and the tokens of users.

The server runs in operator mode: it trusts one operator key, and every account and user is a JSON web
token that we sign ourselves, in the format of NATS JWT version 2 (github.com/nats-io/jwt).

Three accounts. SYSTEM belongs to the server. MACHINE holds the log and all that the machine's own programs
say. PAGE is where browsers are: it has no JetStream, and of MACHINE it reaches only the queries (``qry.>``,
a service) and the live changes (``live.>``, a stream).
"""

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec
import nkeys

from cim.domain.errors import CimError
from cim.leaf.private import private_folder, write_private

Chance = Callable[[int], bytes]
"""Gives that many random bytes, as ``os.urandom`` does."""

SUBSCRIPTIONS = 64
"""How many subscriptions one connection of a page may hold."""

PAYLOAD = 64 * 1024
"""How many bytes one message of a page may carry."""

COOKIE = 3800
"""How many characters a token may have, so that a browser keeps it with its name and attributes."""

STEWARD_LIFE = 60
"""Seconds that the user is good for who changes a stream's settings."""

ANSWERS, ANSWERING = 20_000, 8000
"""How often a provider may answer one call, beats among that, and for how many seconds."""

_SESSION = re.compile(r"[a-z0-9]{8,32}")
_QUERY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*")
_UNLIMITED = -1
_NATS_LIMITS = dict.fromkeys(("subs", "data", "payload"), _UNLIMITED)
_ACCOUNT_LIMITS = _NATS_LIMITS | dict.fromkeys(("imports", "exports", "conn", "leaf"), _UNLIMITED)
_JETSTREAM_LIMITS = dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), _UNLIMITED)
_AGAINST_THE_LOG = ("UPDATE", "PURGE", "MSG.DELETE", "RESTORE")
_NEVER = ("$JS.API.STREAM.DELETE.>", *(f"$JS.API.STREAM.{call}.LOG" for call in _AGAINST_THE_LOG))
"""What no program of a machine may ask: a stream's own settings do not keep it from being deleted."""
_SHARED = (("queries", "qry.>", "service"), ("live", "live.>", "stream"))


class KeysUnreadable(CimError):
    """The file of keys is there and cannot be read."""


class TokenRefused(CimError):
    """A token was asked for that would mean nothing, or more than it should."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a user shows the server: the token, and the seed of the key that signs the server's nonce."""

    jwt: str
    seed: str = field(repr=False)

    def present(self) -> bytes:
        """The token, as ``user_jwt_cb`` of nats-py asks for it."""
        return self.jwt.encode()

    def sign(self, nonce: str) -> bytes:
        """The signature of the server's nonce in base64, as ``signature_cb`` of nats-py asks for it."""
        return base64.b64encode(nkeys.from_seed(self.seed.encode()).sign(nonce.encode()))


@dataclass(frozen=True, slots=True)
class Keys:
    """The nkey seeds of one leaf, and the second (Unix time, UTC) at which they were made.

    The streams on disk belong to the public key of ``machine``: who loses the keys loses the way to the log.
    """

    made_at: int
    operator: str = field(repr=False)
    system: str = field(repr=False)
    machine: str = field(repr=False)
    page: str = field(repr=False)
    user: str = field(repr=False)

    @classmethod
    def make(cls, now: int, chance: Chance = os.urandom) -> Self:
        """Fresh keys out of ``chance``, dated ``now`` (Unix seconds)."""
        account = nkeys.PREFIX_BYTE_ACCOUNT
        return cls(
            made_at=now,
            operator=_seed(nkeys.PREFIX_BYTE_OPERATOR, chance),
            system=_seed(account, chance),
            machine=_seed(account, chance),
            page=_seed(account, chance),
            user=_seed(nkeys.PREFIX_BYTE_USER, chance),
        )

    @classmethod
    def load_or_make(cls, path: Path, *, now: int, chance: Chance = os.urandom) -> Self:
        """The keys in the file ``path``; made there once, mode 0600 in a folder of mode 0700.

        Raises:
            KeysUnreadable: the file is damaged, or not a file of keys.
        """
        private_folder(path.parent)
        if not path.exists():
            write_private(path, msgspec.json.encode(cls.make(now, chance)).decode())
        path.chmod(0o600)
        try:
            keys = msgspec.json.decode(path.read_bytes(), type=cls)
            for name in ("operator", "system", "machine", "page", "user"):
                public_key(getattr(keys, name))
        except (msgspec.DecodeError, nkeys.NkeysError, ValueError) as error:
            raise KeysUnreadable(
                f"{path}: the keys of this leaf cannot be read ({error or type(error).__name__}). "
                f"Put the file back from a copy: the log on disk belongs to these keys. "
                f"Only where there is nothing to keep, remove the whole folder {path.parent}"
            ) from error
        return keys


def public_key(seed: str) -> str:
    """The public half of a seed, as the server names operators (O...), accounts (A...) and users (U...)."""
    public: bytes = nkeys.from_seed(seed.encode()).public_key
    return public.decode()


def server_accounts(keys: Keys) -> dict[str, Any]:
    """The part of the server's configuration that names the operator and its three accounts."""
    system, machine, page = map(public_key, (keys.system, keys.machine, keys.page))
    operator = {"type": "operator", "version": 2, "system_account": system}
    shared = [{"name": name, "subject": subject, "type": kind} for name, subject, kind in _SHARED]
    imports = [export | {"account": machine} for export in shared]
    accounts = {
        system: _account(keys, system, "SYSTEM", {}),
        machine: _account(keys, machine, "MACHINE", _JETSTREAM_LIMITS, exports=shared),
        page: _account(keys, page, "PAGE", {}, imports=imports),
    }
    return {
        "operator": _token(keys.operator, public_key(keys.operator), "cim", operator, issued=keys.made_at),
        "system_account": system,
        "resolver": "MEMORY",
        "resolver_preload": accounts,
    }


def machine_credentials(keys: Keys) -> Credentials:
    """The user of the machine's own programs: all of MACHINE, without an end, but for taking history away."""
    claims = {"type": "user", "version": 2, "pub": {"deny": list(_NEVER)}} | _NATS_LIMITS
    token = _token(keys.machine, public_key(keys.user), "machine", claims, issued=keys.made_at)
    return Credentials(token, keys.user)


def steward_credentials(keys: Keys, now: int) -> Credentials:
    """A user that may look at the log's stream and change its settings, and nothing else, for a minute.

    No program of the machine is given it: the leaf uses it itself, where a setting came with a later version.
    """
    calls = [f"$JS.API.STREAM.{call}.LOG" for call in ("INFO", "UPDATE")]
    claims = {"type": "user", "version": 2, "pub": {"allow": calls}} | _NATS_LIMITS
    token = _token(
        keys.machine, public_key(keys.user), "steward", claims, issued=now, expires=now + STEWARD_LIFE
    )
    return Credentials(token, keys.user)


def provider_credentials(
    keys: Keys, subject: str, service: str, *, now: int, chance: Chance = os.urandom
) -> Credentials:
    """A user that provides: it hears the calls under ``subject`` and what asks for the NATS service
    ``service``, answers what it heard, and may say and hear nothing else."""
    seed = _seed(nkeys.PREFIX_BYTE_USER, chance)
    claims = _NATS_LIMITS | {
        "type": "user",
        "version": 2,
        "sub": {"allow": [f"{subject}.*", "$SRV.*", f"$SRV.*.{service}", f"$SRV.*.{service}.*"]},
        # Where answers alone are allowed, the server denies all else.
        "resp": {"max": ANSWERS, "ttl": ANSWERING * 1_000_000_000},
    }
    token = _token(keys.machine, public_key(seed), f"provider {subject}", claims, issued=now)
    return Credentials(token, seed)


def page_token(
    keys: Keys,
    session: str,
    expires_at: int,
    queries: Sequence[str],
    *,
    now: int,
    chance: Chance = os.urandom,
) -> str:
    """A bearer token for one page: whoever holds it is that session until ``expires_at`` (Unix seconds).

    It is good on a WebSocket only. It may ask ``qry.<context>.<name>.<session>`` for each of ``queries``
    (``"<context>.<name>"``), and hear ``live.*.<session>`` and ``_INBOX_<session>.>``; nothing else.

    Raises:
        TokenRefused: a session that is not 8 to 32 of a-z and 0-9, a query that is not two plain names,
            an end that is not after ``now``, or so many queries that a browser would drop the cookie.
    """
    _check_page(session, expires_at, queries, now)
    user = public_key(_seed(nkeys.PREFIX_BYTE_USER, chance))
    claims = _page_claims(session, queries)
    token = _token(keys.page, user, f"page {session}", claims, issued=now, expires=expires_at)
    if len(token) > COOKIE:
        raise TokenRefused(
            f"page token of session {session!r}: {len(queries)} queries do not fit in a cookie"
        )
    return token


def _page_claims(session: str, queries: Sequence[str]) -> dict[str, Any]:
    asks = [f"qry.{query}.{session}" for query in queries]
    return _NATS_LIMITS | {
        "type": "user",
        "version": 2,
        # For the server an empty list of what is allowed means that all is allowed.
        "pub": {"allow": asks} if asks else {"deny": [">"]},
        "sub": {"allow": [f"live.*.{session}", f"_INBOX_{session}.>"]},
        "subs": SUBSCRIPTIONS,
        "payload": PAYLOAD,
        "bearer_token": True,
        "allowed_connection_types": ["WEBSOCKET"],
    }


def _check_page(session: str, expires_at: int, queries: Sequence[str], now: int) -> None:
    where = f"page token of session {session!r}"
    if not _SESSION.fullmatch(session):
        raise TokenRefused(f"{where}: a session is 8 to 32 characters of a-z and 0-9")
    if expires_at <= now:
        raise TokenRefused(f"{where}: it would end at {expires_at}, which is not after now, {now}")
    for query in queries:
        if not _QUERY.fullmatch(query):
            raise TokenRefused(f"{where}: query {query!r} is not <context>.<name>")


def _account(keys: Keys, public: str, name: str, more_limits: dict[str, int], **claims: Any) -> str:
    limits = {"wildcards": True} | _ACCOUNT_LIMITS | more_limits
    nats = {"type": "account", "version": 2, "limits": limits} | claims
    return _token(keys.operator, public, name, nats, issued=keys.made_at)


def _seed(prefix: int, chance: Chance) -> str:
    seed: bytes = nkeys.encode_seed(chance(32), prefix)
    return seed.decode()


def _token(
    issuer: str, subject: str, name: str, nats: dict[str, Any], *, issued: int, expires: int | None = None
) -> str:
    pair = nkeys.from_seed(issuer.encode())
    claims = {"iat": issued, "iss": pair.public_key.decode(), "name": name, "sub": subject, "nats": nats}
    if expires is not None:
        claims["exp"] = expires
    digest = hashlib.sha256(_json(claims)).digest()
    claims["jti"] = base64.b32encode(digest).decode().rstrip("=")
    signed = b".".join(map(_url64, (_json({"typ": "JWT", "alg": "ed25519-nkey"}), _json(claims))))
    return (signed + b"." + _url64(pair.sign(signed))).decode()


def _json(data: dict[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()


def _url64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
