"""SMS through Twilio: the client, the signatures on its webhooks, and what their forms say."""

from bot.channels.twilio.channel import TwilioChannel
from bot.channels.twilio.inbound import (
    MESSAGE_ID_PARAMETER,
    InboundSms,
    MalformedWebhook,
    Media,
    OtherChannel,
    StatusUpdate,
    parse_inbound,
    parse_status,
)
from bot.channels.twilio.signature import public_url_of, verify

__all__ = [
    "MESSAGE_ID_PARAMETER",
    "InboundSms",
    "MalformedWebhook",
    "Media",
    "OtherChannel",
    "StatusUpdate",
    "TwilioChannel",
    "parse_inbound",
    "parse_status",
    "public_url_of",
    "verify",
]
