"""How many webhooks are being taken in at this moment: whoever else works in this process gives way to a crowd."""

from __future__ import annotations

from types import TracebackType

_A_CROWD = 4


class Arrivals:
    """Entered with each webhook, left with its answer."""

    def __init__(self) -> None:
        self._now = 0

    def __enter__(self) -> None:
        self._now += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._now -= 1

    def are_many(self) -> bool:
        """Whether some of them are waiting for others."""
        return self._now > _A_CROWD
