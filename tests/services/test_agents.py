"""Who may come in: agents with a password, programs with a key, visitors with a token; none is kept in the clear."""

from __future__ import annotations

import pytest

from bot.core.errors import Conflict, Refused
from bot.core.vocabulary import Role
from bot.services import agents
from bot.services.agents import (
    TooManyTries,
    add_agent,
    add_api_key,
    api_key,
    open_visit,
    sign_in,
    sign_out,
    signed_in,
    visited,
)
from bot.services.entities import Agent, ApiKey, AuditEntry, Login, WebVisit
from tests.services.house import House

PASSWORD = "correct horse"


async def sam(house: House) -> Agent:
    """Sam, with a password."""
    return await add_agent(house.shop, email=" Sam@Example.com ", name="Sam", password=PASSWORD, role=Role.SUPERVISOR)


async def test_an_agent_signs_in_with_e_mail_and_password(house: House) -> None:
    """However the e-mail is spelled; the token opens their session and nobody else's."""
    agent = await sam(house)
    token = await sign_in(house.shop, "SAM@example.com ", PASSWORD)

    assert token is not None
    session = await signed_in(house.shop, token)
    assert session is not None
    assert (session.agent.id, session.agent.email, session.agent.role) == (agent.id, "sam@example.com", Role.SUPERVISOR)
    assert len(session.csrf) >= 24


async def test_neither_password_nor_token_is_kept(house: House) -> None:
    """Only their hashes are: a stolen database signs nobody in."""
    await sam(house)
    token = await sign_in(house.shop, "sam@example.com", PASSWORD)
    key = await add_api_key(house.shop, "till", "api")
    await house.arrives("hello")
    visit = await open_visit(house.shop, (await house.conversation()).id)

    kept = str([vars(entity) for kind in (Agent, Login, ApiKey, WebVisit) for entity in await house.all(kind)])
    assert "$argon2id$" in kept
    assert not any(secret in kept for secret in (PASSWORD, str(token), key, visit))


@pytest.mark.parametrize(("email", "password"), [("sam@example.com", "wrong horse"), ("kim@example.com", PASSWORD)])
async def test_a_wrong_pair_is_refused_without_saying_which_half(house: House, email: str, password: str) -> None:
    """And the attempt is on record without the address itself."""
    await sam(house)

    assert await sign_in(house.shop, email, password) is None

    refused = await house.one(AuditEntry, action="sign in refused")
    assert email not in str(vars(refused))


@pytest.mark.parametrize("email", ["sam@example.com", "nobody@example.com", "gone@example.com"])
async def test_a_password_is_verified_even_when_there_is_nobody_to_verify(
    house: House, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the time it takes would tell who works here: one argon2 hash is checked either way."""
    await sam(house)
    async with house.shop.store() as tx:
        tx.add(Agent(email="gone@example.com", name="Gone", password_hash="", active=False))
        await tx.commit()
    verified: list[str] = []
    matches = agents._matches

    def counted(password_hash: str, password: str) -> bool:
        verified.append(password_hash)
        return matches(password_hash, password)

    monkeypatch.setattr(agents, "_matches", counted)
    await sign_in(house.shop, email, "wrong horse")

    assert len(verified) == 1
    assert verified[0].startswith("$argon2id$")


@pytest.mark.parametrize(("email", "password", "field"), [("sam", PASSWORD, "email"), ("s@x", "123456789", "password")])
async def test_an_unusable_agent_is_refused_by_name(house: House, email: str, password: str, field: str) -> None:
    """An address without @, a password under ten characters."""
    with pytest.raises(Refused) as refusal:
        await add_agent(house.shop, email=email, name="", password=password)

    assert refusal.value.field == field


async def test_an_e_mail_is_one_agents(house: House) -> None:
    """However it is spelled."""
    await sam(house)

    with pytest.raises(Conflict, match="there is an agent sam@"):
        await sam(house)


async def test_a_session_ends(house: House) -> None:
    """By signing out, by time, and by the agent's going."""
    agent = await sam(house)
    tokens = [await sign_in(house.shop, "sam@example.com", PASSWORD) for _ in range(2)]
    first, second = map(str, tokens)

    await sign_out(house.shop, first)
    await sign_out(house.shop, first)
    assert await signed_in(house.shop, first) is None
    assert await signed_in(house.shop, second) is not None
    house.later(hours=12)
    assert await signed_in(house.shop, second) is None

    third = str(await sign_in(house.shop, "sam@example.com", PASSWORD))
    async with house.shop.store() as tx:
        (await tx.get(Agent, agent.id)).active = False
        await tx.commit()
    assert await signed_in(house.shop, third) is None
    assert await sign_in(house.shop, "sam@example.com", PASSWORD) is None


async def test_an_invented_token_opens_nothing(house: House) -> None:
    """Neither a session, nor an API, nor a conversation."""
    for invented in ("", "x", "aw_x"):
        assert await signed_in(house.shop, invented) is None
        assert await api_key(house.shop, invented) is None
        assert await visited(house.shop, invented) is None


async def test_a_key_has_a_name_and_a_scope(house: House) -> None:
    """Two keys are never the same; a scope nobody knows is refused."""
    keys = {await add_api_key(house.shop, "till", scope) for scope in ("api", "desk")}

    records = [await api_key(house.shop, key) for key in keys]
    assert {record.scope for record in records if record} == {"api", "desk"}
    with pytest.raises(Refused) as refusal:
        await add_api_key(house.shop, "till", "root")
    assert refusal.value.field == "scope"


async def test_a_visitors_token_opens_their_conversation_for_a_month(house: House) -> None:
    """And no longer."""
    await house.arrives("hello")
    conversation = await house.conversation()
    token = await open_visit(house.shop, conversation.id)

    assert await visited(house.shop, token) == conversation.id
    house.later(days=30)
    assert await visited(house.shop, token) is None


async def test_after_five_failures_even_the_right_password_waits(house: House) -> None:
    """For that e-mail from that place, until the first failure is five minutes old."""
    await sam(house)
    for _ in range(5):
        assert await sign_in(house.shop, "sam@example.com", "wrong horse", place="192.0.2.1") is None
        house.later(seconds=10)

    with pytest.raises(TooManyTries) as refused:
        await sign_in(house.shop, "Sam@example.com", PASSWORD, place="192.0.2.1")

    assert refused.value.wait == 250
    assert await sign_in(house.shop, "sam@example.com", PASSWORD, place="192.0.2.2")
    house.later(seconds=250)
    assert await sign_in(house.shop, "sam@example.com", PASSWORD, place="192.0.2.1")


async def test_a_success_forgives_the_failures_before_it(house: House) -> None:
    """Who mistyped four times begins anew."""
    await sam(house)
    for password in ("wrong horse",) * 4 + (PASSWORD,) + ("wrong horse",) * 4:
        await sign_in(house.shop, "sam@example.com", password)

    assert await sign_in(house.shop, "sam@example.com", PASSWORD)
