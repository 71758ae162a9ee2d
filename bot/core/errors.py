"""The errors of the product. A docstring or message says what to do; the edge turns each into one clear answer."""

from __future__ import annotations


class AfterwordError(Exception):
    """Something the product refuses or could not do."""


class NotFound(AfterwordError):
    """There is no such thing here; check the identifier."""


class Conflict(AfterwordError):
    """Someone else changed this first; look again and decide anew."""


class Refused(AfterwordError):
    """The request is understood and may not be done as asked.

    `field` names the part of the request that stands in the way, where there is one.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class BeyondAuthority(Refused):
    """The gesture is above what this agent may grant alone; ask a supervisor."""


class Unusable(AfterwordError):
    """A configuration or data file cannot be used; the message names the place and what to change."""


class ChannelError(AfterwordError):
    """A channel did not take a message.

    `permanent`: trying again will not help. `ambiguous`: it may have been sent, so it must never be sent again blindly;
    a status callback or a reconciliation will tell. `code` is the provider's; `retry_after` is in seconds.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        ambiguous: bool = False,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.ambiguous = ambiguous
        self.code = code
        self.retry_after = retry_after
