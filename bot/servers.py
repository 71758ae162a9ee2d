"""Several copies of one server: whom to ask first, and whom to leave alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from hashlib import blake2b

REST_SECONDS = 30.0
"""How long a copy that did not answer is asked last."""


class Servers:
    """The addresses of the copies.

    Each key (a conversation, say) has an order of its own, the same in every process: it stays with one copy, which
    remembers it, the keys spread over all, and when a copy is away only its keys move. A copy that `failed` is asked
    after the others until it `answered`, or until its rest is over.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        rest_seconds: float = REST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.addresses = tuple(address.rstrip("/") for address in addresses)
        self._rest_seconds = rest_seconds
        self._clock = clock
        self._resting: dict[str, float] = {}

    def in_order(self, key: str) -> list[str]:
        """All addresses, the one to ask first at the front."""
        now = self._clock()
        return sorted(
            self.addresses,
            key=lambda address: (self._resting.get(address, now) > now, blake2b(f"{key} {address}".encode()).digest()),
        )

    def failed(self, address: str) -> None:
        """It could not be reached, or kept silent."""
        self._resting[address] = self._clock() + self._rest_seconds

    def answered(self, address: str) -> None:
        """It is there."""
        self._resting.pop(address, None)
