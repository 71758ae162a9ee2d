"""The look-alike: what Twilio does, on good days and bad ones."""

import asyncio

import aiohttp
import pytest

from bot.core.errors import ChannelError
from tests.channels.town import ACCOUNT, NUMBER, PHONE, TOKEN, Open, Town, outbound

MESSAGES = f"/simulator/twilio/2010-04-01/Accounts/{ACCOUNT}/Messages"
LOGIN = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT, TOKEN)}


async def test_what_a_phone_writes_arrives_signed(town: Town) -> None:
    """One webhook with Twilio's whole form and a signature that verifies."""
    written = await town.write("  Çok iyiydi 👍 a+b=c & d  ")

    [message] = town.inbound
    assert town.refused == []
    assert message.provider_id == written["sid"]
    assert (message.from_, message.to, message.text) == (PHONE, NUMBER, "  Çok iyiydi 👍 a+b=c & d  ")
    form = town.forms[0]
    assert form["SmsSid"] == form["SmsMessageSid"] == form["MessageSid"] == written["sid"]
    assert (form["AccountSid"], form["SmsStatus"], form["NumMedia"]) == (ACCOUNT, "received", "0")
    assert (form["FromCountry"], form["ApiVersion"], form["NumSegments"]) == ("TR", "2010-04-01", "1")


async def test_a_picture(town: Town) -> None:
    """Media arrive numbered, with their types."""
    sid = await town.lookalike.receive(PHONE, "", [("https://media.example/1", "image/png")])

    assert sid.startswith("MM")
    assert town.inbound[0].media[0].url == "https://media.example/1"
    assert town.inbound[0].text == ""


async def test_the_thread_is_oldest_first(town: Town) -> None:
    """A phone shows what it sent and received, and nobody else's messages."""
    await town.channel().send(outbound("How was everything?"))
    await town.lookalike.settle()
    await town.write("fine")
    await town.write("not me", number="+15005550009")

    items = await town.phone()

    assert [(item["direction"], item["body"], item["from"], item["to"], item["status"]) for item in items] == [
        ("out", "How was everything?", NUMBER, PHONE, "delivered"),
        ("in", "fine", PHONE, NUMBER, "received"),
    ]
    assert all(item["sid"] and item["at"].endswith("+00:00") for item in items)


async def test_the_phones_with_threads(town: Town) -> None:
    """The most recently active phone comes first."""
    await town.write("one")
    await town.write("two", number="+15005550009")

    async with town.session.get(f"{town.url}/simulator/phones") as answer:
        phones = (await answer.json())["items"]

    assert phones == [{"phone": "+15005550009"}, {"phone": PHONE}]


@pytest.mark.parametrize("typed", [PHONE, "+90 532 123 45 67", "+90 (532) 123-45-67", "905321234567"])
async def test_phone_numbers_are_read_as_people_type_them(town: Town, typed: str) -> None:
    """Lenient in, strict out."""
    assert (await town.write("hello", number=typed))["from"] == PHONE


async def test_a_bare_plus_in_the_query(town: Town) -> None:
    """`?phone=+90…` without encoding is still that phone."""
    await town.write("hello")

    async with town.session.get(
        aiohttp.client.URL(f"{town.url}/simulator/messages?phone={PHONE}", encoded=True)
    ) as answer:
        assert len((await answer.json())["items"]) == 1


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("messages", {"from": "nobody", "body": "x"}, "from"),
        ("messages", {"body": "x"}, "from"),
        ("messages", {"from": PHONE, "body": 7}, "body"),
        ("messages", {"from": PHONE, "body": "x" * 20_001}, "body"),
        ("faults", {"mode": "earthquake"}, "mode"),
        ("faults", {"mode": ["429"]}, "mode"),
        ("faults", {"mode": "429", "times": 0}, "times"),
        ("faults", {"mode": "429", "times": True}, "times"),
        ("faults", [], None),
        ("faults", {"mode": "undelivered"}, "code"),
        ("faults", {"mode": "refused", "code": 7}, "code"),
        ("faults", {"mode": "500", "phone": "nobody"}, "phone"),
        ("faults", {"mode": "429", "retry_after": {}}, "retry_after"),
        ("faults", {"rate": 2}, "rate"),
        ("faults", {"rate": True}, "rate"),
        ("faults", {"rate": 0.1, "seed": "x"}, "seed"),
        ("faults", {"rate": 0.1, "kinds": []}, "kinds"),
        ("faults", {"rate": 0.1, "kinds": ["refused"]}, "kinds"),
        ("faults", {"rate": 0.1, "kinds": [{}]}, "kinds"),
        ("messages", {"from": PHONE, "media": [{"url": 1}]}, "media"),
    ],
)
async def test_what_cannot_be_understood_is_explained(town: Town, path: str, body: object, field: str | None) -> None:
    """Problems are RFC 9457 and name the field."""
    async with town.session.post(f"{town.url}/simulator/{path}", json=body) as answer:
        problem = await answer.json()

    assert (answer.status, answer.content_type) == (422, "application/problem+json")
    assert [error["field"] for error in problem.get("errors", [])] == ([field] if field else [])
    assert town.inbound == []


async def test_threads_survive_a_restart(open_town: Open) -> None:
    """Another process with the same book shows the same thread."""
    before = await open_town()
    await before.write("remember me")
    await before.channel().send(outbound("we do"))
    await before.lookalike.settle()

    after = await open_town()

    assert [item["body"] for item in await after.phone()] == ["remember me", "we do"]


async def test_a_restart_does_not_lose_what_was_under_way(open_town: Open) -> None:
    """What was queued when the process ended is delivered, once, by the next."""
    before = await open_town(pace=60)
    await before.channel().send(outbound("on its way"))
    await before.lookalike.close()

    after = await open_town()

    assert [(item["body"], item["status"]) for item in await after.phone()] == [("on its way", "delivered")]


async def test_a_burst_of_messages(town: Town) -> None:
    """Fifty at once are all written down and all delivered."""
    await asyncio.gather(*(town.write(f"message {n}") for n in range(50)))

    assert len({message.provider_id for message in town.inbound}) == 50
    assert len(await town.phone()) == 50


async def test_a_webhook_that_refuses_is_not_called_again(town: Town) -> None:
    """By default Twilio retries only when it could not connect."""
    town.webhook_answers = [500]

    await town.write("hello")

    assert len(town.inbound) == 1


async def test_retries_can_be_asked_for(open_town: Open) -> None:
    """`#rc=3&rp=all` in the address is three retries for whatever goes wrong, of one and the same message."""
    town = await open_town(fragment="#rc=3&rp=all")
    town.webhook_answers = [500, 404, 200]

    await town.write("hello")

    assert len(town.inbound) == 3
    assert len({message.provider_id for message in town.inbound}) == 1


async def test_whether_the_webhook_took_a_message_is_told(town: Town) -> None:
    """What nobody took is on the list alone, as with Twilio; whoever plays the phone can see it."""
    town.webhook_answers = [500, 200]

    first, second = await town.write("lost"), await town.write("taken")

    assert (first["taken"], second["taken"]) == (False, True)


async def test_everything_the_api_took_can_be_listed(town: Town) -> None:
    """Oldest first, page after page, delivered or not, with the address that names each in our own words."""
    await town.break_with("30003")
    for n in range(5):
        await town.channel().send(outbound(f"number {n}", message_id=f"m-{n}"))
    await town.write("not ours")
    await town.lookalike.settle()

    pages, after = [], "0"
    while after is not None:
        async with town.session.get(f"{town.url}/simulator/sent", params={"after": after, "limit": "2"}) as answer:
            page = await answer.json()
        pages.append(page["items"])
        after = page["next"]

    items = [item for page in pages for item in page]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [item["body"] for item in items] == [f"number {n}" for n in range(5)]
    assert [item["callback"].partition("?")[2] for item in items] == [f"message=m-{n}" for n in range(5)]
    assert [(item["status"], item["error_code"]) for item in items][:2] == [("undelivered", 30003), ("delivered", None)]


async def test_nobody_at_the_webhook(open_town: Open) -> None:
    """A phone does not notice that nobody listens."""
    town = await open_town()
    town.lookalike.webhook_url = "http://127.0.0.1:9/"

    written = await town.write("hello?")

    assert [item["sid"] for item in await town.phone()] == [written["sid"]]


async def test_a_number_on_twilios_own_list(town: Town) -> None:
    """21610 as long as the number is on Twilio's own list."""
    await town.lookalike.book.suppress(PHONE)
    with pytest.raises(ChannelError) as caught:
        await town.channel().send(outbound())
    await town.lookalike.book.release(PHONE)
    await town.channel().send(outbound("back again"))

    assert caught.value.code == "21610"
    assert [item["body"] for item in await town.phone()] == ["back again"]


async def test_twilios_own_opt_out_handling(open_town: Open) -> None:
    """Where it is switched on, Twilio answers STOP itself, tells us, and refuses from then on; START ends that."""
    town = await open_town(handles_opt_out=True)

    await town.write("stop please")
    await town.write("Stop ")
    with pytest.raises(ChannelError) as caught:
        await town.channel().send(outbound())
    await town.write("START")
    await town.channel().send(outbound("welcome back"))

    assert caught.value.code == "21610"
    assert [message.opt_out_type for message in town.inbound] == [None, "STOP", "START"]
    answers = [item["body"] for item in await town.phone() if item["direction"] == "out"]
    assert [answer[:24] for answer in answers] == [
        "You have successfully be",
        "You have successfully be",
        "welcome back",
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"To": ""}, 21604),
        ({"To": "5551234"}, 21211),
        ({"From": ""}, 21603),
        ({"From": "+15005550001"}, 21606),
        ({"From": "", "MessagingServiceSid": "MGx"}, 21701),
        ({"To": NUMBER}, 21266),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617),
        ({"StatusCallback": "nowhere"}, 21609),
        ({"ValidityPeriod": "0"}, 20001),
        ({"ValidityPeriod": "soon"}, 20001),
    ],
)
async def test_forms_are_checked_as_twilio_checks_them(town: Town, change: dict[str, str], code: int) -> None:
    """A bad form is refused with Twilio's code, in Twilio's words, and nothing is sent."""
    form = {"To": PHONE, "From": NUMBER, "Body": "hello"} | change

    async with town.session.post(f"{town.url}{MESSAGES}.json", data=form, headers=LOGIN) as answer:
        refusal = await answer.json()

    assert (answer.status, refusal["status"], refusal["code"]) == (400, 400, code)
    assert refusal["more_info"] == f"https://www.twilio.com/docs/errors/{code}"
    assert await town.phone() == []


@pytest.mark.parametrize(
    "authorization", ["", "Basic", "Basic !!!", "Bearer x", aiohttp.encode_basic_auth(ACCOUNT, "no")]
)
async def test_strangers_are_turned_away(town: Town, authorization: str) -> None:
    """Without the account's credentials there is nothing to see."""
    async with town.session.get(f"{town.url}{MESSAGES}.json", headers={"Authorization": authorization}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, 20003)


async def test_one_message_can_be_fetched(town: Town) -> None:
    """By its sid; another sid or another account is not found."""
    accepted = await town.channel().send(outbound("fetch me"))
    await town.lookalike.settle()

    async with town.session.get(f"{town.url}{MESSAGES}/{accepted.provider_id}.json", headers=LOGIN) as answer:
        found = await answer.json()
    async with town.session.get(f"{town.url}{MESSAGES}/SM0.json", headers=LOGIN) as missing:
        assert missing.status == 404
    stranger = MESSAGES.replace(ACCOUNT, "AC" + "f" * 32)
    async with town.session.get(f"{town.url}{stranger}.json", headers=LOGIN) as elsewhere:
        assert elsewhere.status == 404

    assert (found["body"], found["status"], found["direction"]) == ("fetch me", "delivered", "outbound-api")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"To": PHONE}, 1),
        ({"From": PHONE}, 1),
        ({"From": NUMBER, "To": PHONE}, 1),
        ({"DateSent>": "2020-01-01"}, 2),
        ({"DateSent<": "2020-01-01"}, 0),
        ({"DateSent": "2020-01-01"}, 0),
        ({"DateSent>": "Wed, 19 Jun 2019 22:04:00 -0000"}, 2),
        ({"DateSent>": "2019-06-11T22:05:25Z", "DateSent<": "2999-01-01"}, 2),
    ],
)
async def test_lists_are_filtered(town: Town, query: dict[str, str], found: int) -> None:
    """By either number and by the date of sending, in the forms Twilio reads."""
    await town.channel().send(outbound())
    await town.lookalike.settle()
    await town.write("a reply")

    async with town.session.get(f"{town.url}{MESSAGES}.json", params=query, headers=LOGIN) as answer:
        assert len((await answer.json())["messages"]) == found


@pytest.mark.parametrize("query", [{"PageSize": "0"}, {"Page": "x"}, {"DateSent": "someday"}])
async def test_nonsense_filters_are_refused(town: Town, query: dict[str, str]) -> None:
    """With a 400 and not a stack trace."""
    async with town.session.get(f"{town.url}{MESSAGES}.json", params=query, headers=LOGIN) as answer:
        assert answer.status == 400
