"""Who comes in at the desk, and who does not."""

from __future__ import annotations

import json
import re
from http.cookies import SimpleCookie
from pathlib import Path

import pytest

from bot.edge.desk.signing import safe_next
from bot.services.entities import Agent

from .conftest import PASSWORD, Town

# The door asks nothing of a database that one kind could answer differently from another.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PAGES = ["/desk", "/desk/", "/desk/cases/c-1", "/desk/ledger", "/desk/customers/c-1", "/desk/why"]
STREAMS = ["/desk/events", "/desk/cases/c-1/events"]
FORMS = [
    *(f"/desk/cases/c-1/{act}" for act in ("claim", "replies", "grants", "resolve", "handback", "transfer", "reopen")),
    "/desk/cases/c-1/steps/act",
    "/desk/assessments/c-1/verdict",
    "/desk/logout",
]


@on_sqlite
async def test_no_route_of_the_desk_is_reached_without_a_login(town: Town) -> None:
    """Every route there is: pages and forms lead to the login, streams and fragments say 401."""
    browser = await town.stranger()

    seen = {}
    for path in (*PAGES, "/desk/nothing/here"):
        seen["GET", path] = await browser.get(path, allow_redirects=False)
    for path in FORMS:
        seen["POST", path] = await browser.post(path, allow_redirects=False)
    assert all(answer.status == 303 for answer in seen.values())
    assert all(answer.headers["Location"].startswith("/desk/login?next=") for answer in seen.values())

    scripts = [await browser.get(path) for path in STREAMS]
    scripts += [await browser.get(path, headers={"HX-Request": "true"}) for path in PAGES]
    scripts += [await browser.post(path, headers={"HX-Request": "true"}) for path in FORMS]
    assert {answer.status for answer in scripts} == {401}


@on_sqlite
async def test_the_list_of_routes_above_is_complete(town: Town) -> None:
    """A route that is added to the desk must be added to the test of the door."""
    tried = {re.sub("/c-1", "/{id}", path) for path in (*PAGES, *STREAMS, *FORMS)}

    routes = set()
    for resource in town.app().router.routes():
        path = re.sub(
            r"\{(case|customer|assessment)_id\}", "{id}", resource.resource.canonical if resource.resource else ""
        )
        routes.add(path.replace("{step}", "act"))

    unnamed = {path for path in routes if path.startswith("/desk") and "{act" not in path}
    assert unnamed - {"/desk/login"} <= tried


@on_sqlite
async def test_the_right_password_opens_a_session_and_leads_back(town: Town) -> None:
    """The cookie is for HTTP only and for our own pages; the agent lands where they were going."""
    browser = await town.stranger()
    away = await browser.get("/desk/ledger?verdict=masked", allow_redirects=False)
    login = await (await browser.get(away.headers["Location"])).text()
    assert 'name="next" value="/desk/ledger?verdict=masked"' in login

    form = {"email": " Sam@Example.com ", "password": PASSWORD, "next": "/desk/ledger?verdict=masked"}
    answer = await browser.post("/desk/login", data=form, allow_redirects=False)

    assert (answer.status, answer.headers["Location"]) == (303, "/desk/ledger?verdict=masked")
    cookie = SimpleCookie(answer.headers["Set-Cookie"])["afterword_desk"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "Lax", "/", "")
    assert (await browser.get("/desk/ledger")).status == 200
    assert (await browser.get("/desk")).headers["Cache-Control"] == "no-store"


@on_sqlite
async def test_in_production_the_cookie_travels_over_https_only(town: Town) -> None:
    """Secure, and with the prefix that binds it to this host."""
    browser = await town.stranger(production=True)

    form = {"email": "sam@example.com", "password": PASSWORD}
    answer = await browser.post("/desk/login", data=form, allow_redirects=False)

    cookie = SimpleCookie(answer.headers["Set-Cookie"])["__Host-afterword_desk"]
    assert (cookie["secure"], cookie["path"]) == (True, "/")


@on_sqlite
async def test_a_wrong_password_is_told_plainly_and_the_email_stays(town: Town) -> None:
    """Nothing says whether the e-mail is known."""
    browser = await town.stranger()

    wrong = await browser.post("/desk/login", data={"email": "sam@example.com", "password": "no"})
    unknown = await browser.post("/desk/login", data={"email": "nobody@example.com", "password": "no"})

    assert (wrong.status, unknown.status) == (401, 401)
    assert 'value="sam@example.com"' in await wrong.text()
    assert "do not belong together" in await wrong.text()
    assert "do not belong together" in await unknown.text()


@on_sqlite
async def test_guessing_is_slowed_down_and_says_for_how_long(town: Town) -> None:
    """Five failures for one e-mail from one place, at whichever edge; others may still come in."""
    browser, other_edge = await town.stranger(), await town.stranger()
    for _ in range(4):
        assert (await browser.post("/desk/login", data={"email": "sam@example.com", "password": "no"})).status == 401
    assert (await other_edge.post("/desk/login", data={"email": "sam@example.com", "password": "no"})).status == 401

    right = {"email": "sam@example.com", "password": PASSWORD}
    answer = await browser.post("/desk/login", data=right, allow_redirects=False)
    assert answer.status == 429
    assert "Too many tries. Wait 6 minutes" in await answer.text() or "Wait 5 minutes" in await answer.text()
    assert int(answer.headers["Retry-After"]) > 0

    other = {"email": "mira@example.com", "password": PASSWORD}
    assert (await browser.post("/desk/login", data=other, allow_redirects=False)).status == 303
    town.clock.forward(seconds=301)
    assert (await browser.post("/desk/login", data=right, allow_redirects=False)).status == 303


@on_sqlite
async def test_a_form_from_another_website_is_refused(town: Town) -> None:
    """The login included: nobody is signed in to somebody else's account."""
    browser = await town.stranger()
    form = {"email": "sam@example.com", "password": PASSWORD}

    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = await browser.post("/desk/login", data=form, headers=headers, allow_redirects=False)
        assert answer.status == 403

    own = str(browser.make_url("/")).rstrip("/")
    answer = await browser.post("/desk/login", data=form, headers={"Origin": own}, allow_redirects=False)
    assert answer.status == 303


@on_sqlite
async def test_signing_out_ends_the_session_on_the_server(town: Town) -> None:
    """The cookie is worth nothing afterwards, even where it was kept."""
    sam = await town.signed_in()
    cookies = {cookie.key: cookie.value for cookie in sam.browser.session.cookie_jar}

    answer = await sam.send("/desk/logout")
    assert (answer.status, answer.headers["Location"]) == (303, "/desk/login")

    sam.browser.session.cookie_jar.update_cookies(cookies)
    assert (await sam.browser.get("/desk", allow_redirects=False)).status == 303


@on_sqlite
async def test_an_agent_who_left_is_out_at_once(town: Town) -> None:
    """Deactivating an agent ends what they have open."""
    sam = await town.signed_in()
    async with town.shop.store() as tx:
        (await tx.get(Agent, town.sam.id)).active = False
        await tx.commit()

    assert (await sam.browser.get("/desk", allow_redirects=False)).status == 303


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/desk",
        "//evil.example/desk",
        "/\\evil.example",
        "/deskadent",
        "/desk\r\nSet-Cookie: a=b",
        "javascript:alert(1)",
        "/desk/logout",
        "/desk/login?next=/desk",
        "/desk/cases/1/events",
        "",
        None,
    ],
)
def test_the_way_back_after_login_never_leaves_the_desk(wanted: str | None) -> None:
    """An address from outside is not an instruction."""
    assert safe_next(wanted) == "/desk"


@on_sqlite
async def test_the_demos_accounts_are_shown_on_this_machine_only(town: Town, tmp_path: Path) -> None:
    """Not behind a proxy, not in production, not to Twilio's users."""
    accounts = {"desk": [{"email": "demo@example.com", "password": "demo password", "role": "agent"}]}
    (tmp_path / "demo.json").write_text(json.dumps(accounts), encoding="utf-8")
    here = await town.stranger(data_dir=tmp_path)
    live = await town.stranger(data_dir=tmp_path, twilio_account_sid="AC" + "1" * 32)
    production = await town.stranger(data_dir=tmp_path, production=True)

    proxied = {"X-Forwarded-For": "203.0.113.9"}
    assert "demo password" in await (await here.get("/desk/login")).text()
    assert "demo password" not in await (await here.get("/desk/login", headers=proxied)).text()
    assert "demo password" not in await (await live.get("/desk/login")).text()
    assert "demo password" not in await (await production.get("/desk/login")).text()
