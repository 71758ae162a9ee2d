"""Webhooks: whose they are, and what they say."""

import pytest
from multidict import CIMultiDict, MultiDict
from twilio.request_validator import RequestValidator

from bot.channels.twilio import (
    MalformedWebhook,
    Media,
    OtherChannel,
    StatusUpdate,
    parse_inbound,
    parse_status,
    public_url_of,
    verify,
)

TOKEN = "12345"
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
PARAMS = {
    "CallSid": "CA1234567890ABCDE",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
    "Caller": "+14158675309",
}
PUBLISHED = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
INBOUND = {
    "MessageSid": "SM" + "1" * 32,
    "From": "+905321234567",
    "To": "+15005550006",
    "Body": "  İyiydi, teşekkürler \n",
    "NumMedia": "0",
    "SomethingNew": "from next year",
}


def signed(signature: str, **more: str) -> CIMultiDict[str]:
    """The headers of a signed request."""
    headers = CIMultiDict({"x-twilio-signature": signature})
    headers.update({name.replace("_", "-"): value for name, value in more.items()})
    return headers


def sign(url: str, params: dict[str, str], secret: str = TOKEN, algorithm: str | None = None) -> str:
    """A signature as Twilio makes it."""
    return str(RequestValidator(secret).compute_signature(url, params, algorithm))


def test_twilios_published_example() -> None:
    """The vector that Twilio's own libraries test with."""
    assert verify(URL, PARAMS, signed(PUBLISHED), TOKEN)


@pytest.mark.parametrize(
    ("url", "params", "headers", "token"),
    [
        (URL, PARAMS, CIMultiDict(), TOKEN),
        (URL, PARAMS, signed(""), TOKEN),
        (URL, PARAMS, signed("wrong"), TOKEN),
        (URL, PARAMS, signed("ÿ" * 28), TOKEN),
        (URL, PARAMS, signed(PUBLISHED), "another"),
        (URL, PARAMS, signed(PUBLISHED), ""),
        (URL, {**PARAMS, "Digits": "1235"}, signed(PUBLISHED), TOKEN),
        (URL, {**PARAMS, "Extra": ""}, signed(PUBLISHED), TOKEN),
        (URL + "&baz=3", PARAMS, signed(PUBLISHED), TOKEN),
        (URL.replace("mycompany", "evil"), PARAMS, signed(PUBLISHED), TOKEN),
        (URL, PARAMS, signed(PUBLISHED, X_Twilio_Webhooks_Signature_Settings="algorithm=HMAC_SHA256"), TOKEN),
        (URL, PARAMS, signed(PUBLISHED, X_Twilio_Webhooks_Signature_Settings="algorithm=NONE"), TOKEN),
    ],
)
def test_anything_else_is_not_twilio(url: str, params: dict[str, str], headers: CIMultiDict[str], token: str) -> None:
    """A missing signature is as wrong as a false one, and a changed letter anywhere breaks it."""
    assert not verify(url, params, headers, token)


def test_whitespace_is_part_of_what_is_signed() -> None:
    """Bodies are verified as sent, before anybody trims them."""
    signature = sign(URL, INBOUND)

    assert verify(URL, INBOUND, signed(signature), TOKEN)
    assert not verify(URL, {**INBOUND, "Body": INBOUND["Body"].strip()}, signed(signature), TOKEN)


def test_repeated_fields_are_signed_too() -> None:
    """A multidict with the same name twice verifies as Twilio signs it."""
    form = MultiDict([("To", "+1"), ("MediaUrl", "b"), ("MediaUrl", "a")])
    signature = RequestValidator(TOKEN).compute_signature(URL, form)

    assert verify(URL, form, signed(signature), TOKEN)


KEYS = {"webhooks_sharedkey_1": "shared", "webhooks_sharedkey_2": "next"}


def with_key(
    name: str = "webhooks_sharedkey_1", secret: str = "shared", algorithm: str = "HMAC_SHA256"
) -> CIMultiDict[str]:
    """A request signed with a shared key, the header as Twilio writes it."""
    settings = {"X_Twilio_Webhooks_Signature_Settings": f"key={name},algorithm={algorithm}"}
    return signed(sign(URL, PARAMS, secret, "HMAC_SHA256"), **settings)


def test_a_shared_key_signs_with_sha_256() -> None:
    """Newer accounts name a key and an algorithm in a header; the key's secret is ours to know. Two while rotating."""
    assert verify(URL, PARAMS, with_key(), TOKEN, KEYS)
    assert verify(URL, PARAMS, with_key("webhooks_sharedkey_2", "next"), TOKEN, KEYS)
    assert not verify(URL, {**PARAMS, "Digits": "1"}, with_key(), TOKEN, KEYS)
    assert not verify(URL, PARAMS, with_key(), TOKEN)


@pytest.mark.parametrize(
    "headers",
    [
        signed(PUBLISHED),
        signed(PUBLISHED, X_Twilio_Webhooks_Signature_Settings="key=webhooks_sharedkey_1,algorithm=HMAC_SHA1"),
        signed(PUBLISHED, X_Twilio_Webhooks_Signature_Settings=""),
        signed(sign(URL, PARAMS, "shared"), X_Twilio_Webhooks_Signature_Settings="key=webhooks_sharedkey_1"),
        signed(sign(URL, PARAMS, TOKEN, "HMAC_SHA256"), X_Twilio_Webhooks_Signature_Settings="algorithm=HMAC_SHA256"),
        with_key("webhooks_sharedkey_3"),
        with_key("", "shared"),
        with_key("webhooks_sharedkey_2", "shared"),
        with_key(algorithm="HMAC_SHA512"),
        CIMultiDict({"x-twilio-webhooks-signature-settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"}),
        CIMultiDict(),
    ],
    ids=[
        "the old signature",
        "the header asks for SHA-1",
        "an empty header",
        "the key without an algorithm",
        "the token instead of a key",
        "an unknown key",
        "no key",
        "another key's secret",
        "another algorithm",
        "no signature",
        "nothing at all",
    ],
)
def test_an_account_with_shared_keys_accepts_nothing_weaker(headers: CIMultiDict[str]) -> None:
    """Whoever knows the old token, or asks for the old algorithm, is not Twilio."""
    assert not verify(URL, PARAMS, headers, TOKEN, KEYS)


def test_sha_256_with_the_account_token() -> None:
    """Without a key of its own the account's token signs."""
    headers = signed(
        sign(URL, PARAMS, TOKEN, "HMAC_SHA256"), X_Twilio_Webhooks_Signature_Settings="algorithm=HMAC_SHA256"
    )

    assert verify(URL, PARAMS, headers, TOKEN)


@pytest.mark.parametrize("public", ["https://sms.example.com", "https://sms.example.com/", "https://sms.example.com/x"])
def test_the_address_is_the_public_one(public: str) -> None:
    """Behind a proxy the signed address is rebuilt from the settings, with the raw path and query."""
    assert public_url_of(public, "/webhooks/twilio/status?message=m%2F1") == (
        "https://sms.example.com/webhooks/twilio/status?message=m%2F1"
    )


def test_an_inbound_message() -> None:
    """The text is kept as sent, and fields we do not know yet are kept too."""
    message = parse_inbound(INBOUND)

    assert (message.provider_id, message.from_, message.to) == ("SM" + "1" * 32, "+905321234567", "+15005550006")
    assert message.text == "  İyiydi, teşekkürler \n"
    assert (message.media, message.opt_out_type) == ((), None)
    assert message.raw["SomethingNew"] == "from next year"
    assert "İyiydi, teşekkürler \\n', raw" not in repr(message)


def test_a_picture_without_words() -> None:
    """A missing Body is no text, and the picture is there."""
    form = {name: value for name, value in INBOUND.items() if name != "Body"}
    form |= {"NumMedia": "2", "MediaUrl0": "https://m/0", "MediaContentType0": "image/jpeg", "MediaUrl1": "https://m/1"}

    message = parse_inbound(form)

    assert message.text == ""
    assert message.media == (Media("https://m/0", "image/jpeg"), Media("https://m/1", ""))


@pytest.mark.parametrize("count", ["", "many", "-1", "99"])
def test_a_strange_count_of_media_is_survived(count: str) -> None:
    """Only what is really there is read."""
    assert parse_inbound({**INBOUND, "NumMedia": count}).media == ()


def test_twilios_own_opt_out_is_passed_on() -> None:
    """OptOutType is there when Twilio's own handling saw a keyword."""
    assert parse_inbound({**INBOUND, "OptOutType": "stop"}).opt_out_type == "STOP"


@pytest.mark.parametrize("missing", ["MessageSid", "From", "To"])
def test_a_form_without_what_twilio_always_sends(missing: str) -> None:
    """The error names the field."""
    form = {name: value for name, value in INBOUND.items() if name != missing}

    with pytest.raises(MalformedWebhook) as caught:
        parse_inbound(form)

    assert caught.value.field == missing


@pytest.mark.parametrize("sender", ["whatsapp:+905321234567", "messenger:123", "rcs:+905321234567"])
def test_another_channel_is_refused_with_an_explanation(sender: str) -> None:
    """We could not answer there; whoever set it up is told what to change."""
    with pytest.raises(OtherChannel, match=f"over {sender.partition(':')[0]} are not supported"):
        parse_inbound({**INBOUND, "From": sender})


@pytest.mark.parametrize("sender", ["12345", "HARBOUR", "+905321234567"])
def test_whoever_writes_by_text_is_read(sender: str) -> None:
    """Short codes and names too."""
    assert parse_inbound({**INBOUND, "From": sender}).from_ == sender


def test_a_status() -> None:
    """Twilio's id, ours from the address, how far it got, and why not further."""
    form = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30003"}

    assert parse_status(form, {"message": "m-1"}) == StatusUpdate("SM1", "undelivered", "30003", "m-1")
    assert parse_status({"SmsSid": "SM1", "SmsStatus": "sent"}) == StatusUpdate("SM1", "sent")
    with pytest.raises(MalformedWebhook):
        parse_status({"MessageSid": "SM1"})
