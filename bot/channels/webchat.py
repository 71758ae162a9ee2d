"""The web chat: a committed message has already arrived; whoever is listening only has to be told to look."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.services.ports import Accepted, Listed, Outbound, SentMessage


class WebChatChannel:
    """Fulfils the `Channel` port. `notify` wakes the listeners of one conversation and must not block or fail."""

    def __init__(self, notify: Callable[[str], None]) -> None:
        self._notify = notify

    async def send(self, outbound: Outbound) -> Accepted:
        """Wake the listeners. Nobody listening is fine: the widget reads the thread when it comes back."""
        self._notify(outbound.conversation_id)
        return Accepted(provider_id=outbound.message_id, status="delivered")

    async def reconcile(self, to: str, since: datetime) -> list[SentMessage]:
        """Nothing: waking a listener again does no harm, so nothing here is ever left open."""
        return []

    async def listed_since(self, since: datetime) -> list[Listed]:
        """Nothing: the store is the only list there is."""
        return []
