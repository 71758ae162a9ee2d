"""Who may come in: agents with a password and a session, programs with a key, web visitors with a token."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bot.core.errors import AfterwordError, Conflict, Refused
from bot.core.vocabulary import Role
from bot.services.entities import Agent, ApiKey, AuditEntry, Login, WebVisit
from bot.services.workshop import Workshop

_HASHER = PasswordHasher()
# Verified against when there is no such agent, so that the answer takes as long either way.
_NOBODY = _HASHER.hash(secrets.token_hex(16))

SHORTEST_PASSWORD = 10
_TRIES, _TRIES_WITHIN = 5, timedelta(minutes=5)
"""After so many failures within that time, the next try waits until the oldest of them is that old."""
_REFUSED = "sign in refused"


class TooManyTries(AfterwordError):
    """Signing in failed too often lately; wait, then try again."""

    def __init__(self, message: str, *, wait: int) -> None:
        super().__init__(message)
        self.wait = wait


def digest(secret: str) -> str:
    """The hash under which a random secret is kept; it needs no salt, being random itself."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A signed-in agent, and the token their forms must carry back."""

    agent: Agent
    csrf: str


async def add_agent(
    shop: Workshop,
    *,
    email: str,
    name: str,
    password: str,
    role: Role = Role.AGENT,
    site_id: str | None = None,
    languages: tuple[str, ...] = (),
) -> Agent:
    """A new agent. Raises Refused for an unusable e-mail or password, Conflict when the e-mail is taken."""
    email = email.strip().lower()
    if "@" not in email:
        raise Refused(f"{email!r} is not an e-mail address", field="email")
    if len(password) < SHORTEST_PASSWORD:
        raise Refused(f"a password has at least {SHORTEST_PASSWORD} characters", field="password")
    agent = Agent(
        email=email,
        name=name.strip() or email,
        password_hash=await asyncio.to_thread(_HASHER.hash, password),
        role=role,
        site_id=site_id,
        languages=list(languages),
    )
    async with shop.store() as tx:
        if await tx.one(Agent, email=email) is not None:
            raise Conflict(f"there is an agent {email} already")
        tx.add(agent)
        await tx.commit()
    return agent


async def sign_in(shop: Workshop, email: str, password: str, *, place: str = "") -> str | None:
    """A new session's token, or None when e-mail and password do not belong together.

    Raises TooManyTries after too many failures for one e-mail from one `place`, the right password included; a success
    forgives them. The failures are counted in the store: it does not matter which process was asked.
    """
    now, door = shop.clock(), digest(f"{place} {email.strip().lower()}")[:16]
    async with shop.store(read_only=True) as tx:
        agent = await tx.one(Agent, email=email.strip().lower(), active=True)
        if (
            wait := _wait(await tx.all(AuditEntry, subject=door, order_by="id", descending=True, limit=_TRIES), now)
        ) > 0:
            raise TooManyTries("too many tries", wait=wait)
    # Slow on purpose, so neither in a transaction nor on the event loop.
    matches = await asyncio.to_thread(_matches, agent.password_hash if agent else _NOBODY, password)
    async with shop.store() as tx:
        if agent is None or not matches:
            tx.add(AuditEntry(at=now, who="desk", action=_REFUSED, subject=door))
            await tx.commit()
            return None
        token = secrets.token_urlsafe(32)
        tx.add(
            Login(
                token_hash=digest(token),
                agent_id=agent.id,
                csrf=secrets.token_urlsafe(24),
                created_at=now,
                expires_at=now + shop.rules.login_lasts,
            ),
            AuditEntry(at=now, who=agent.email, action="signed in", subject=agent.id),
            AuditEntry(at=now, who="desk", action="sign in granted", subject=door),
        )
        await tx.commit()
        return token


def _wait(tries: Sequence[AuditEntry], now: datetime) -> int:
    """Seconds until another try, from the latest tries at one door, the newest first; 0: now."""
    refused = list(itertools.takewhile(lambda entry: entry.action == _REFUSED, tries))
    if len(refused) < _TRIES:
        return 0
    return max(0, math.ceil((refused[-1].at + _TRIES_WITHIN - now).total_seconds()))


async def signed_in(shop: Workshop, token: str) -> SignedIn | None:
    """Whose session this token opens, or None when it is unknown, expired or the agent is gone."""
    async with shop.store(read_only=True) as tx:
        login = await tx.find(Login, digest(token))
        if login is None or login.expires_at <= shop.clock():
            return None
        agent = await tx.find(Agent, login.agent_id)
        return SignedIn(agent, login.csrf) if agent is not None and agent.active else None


async def sign_out(shop: Workshop, token: str) -> None:
    """End a session; an unknown one is ended already."""
    async with shop.store() as tx:
        login = await tx.find(Login, digest(token))
        if login is not None:
            await tx.delete(login)
            await tx.commit()


async def add_api_key(shop: Workshop, name: str, scope: str) -> str:
    """A new key, shown this once. `scope` is `api`, or `desk`, which may also act for agents."""
    if scope not in ("api", "desk"):
        raise Refused(f"{scope!r} is not a scope; use api or desk", field="scope")
    key = f"aw_{secrets.token_urlsafe(32)}"
    async with shop.store() as tx:
        tx.add(ApiKey(name=name, scope=scope, key_hash=digest(key), created_at=shop.clock()))
        await tx.commit()
    return key


async def api_key(shop: Workshop, key: str) -> ApiKey | None:
    """The key's record, or None when there is none."""
    async with shop.store(read_only=True) as tx:
        return await tx.one(ApiKey, key_hash=digest(key))


async def open_visit(shop: Workshop, conversation_id: str) -> str:
    """A web visitor's token to one conversation."""
    now, token = shop.clock(), secrets.token_urlsafe(32)
    async with shop.store() as tx:
        tx.add(
            WebVisit(
                token_hash=digest(token),
                conversation_id=conversation_id,
                created_at=now,
                expires_at=now + shop.rules.visit_lasts,
            )
        )
        await tx.commit()
    return token


async def visited(shop: Workshop, token: str) -> str | None:
    """The conversation this token opens, or None."""
    async with shop.store(read_only=True) as tx:
        visit = await tx.find(WebVisit, digest(token))
        return visit.conversation_id if visit is not None and _lasts(visit.expires_at, shop) else None


def _lasts(until: datetime, shop: Workshop) -> bool:
    return until > shop.clock()


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
