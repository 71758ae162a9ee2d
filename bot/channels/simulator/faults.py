"""Misbehaviour on demand, so that what Twilio does on a bad day can be seen on a good one."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum


class Fault(StrEnum):
    """One way to go wrong. Each is used up by the next request, message or callback that it fits."""

    TIMEOUT = "timeout"
    """Takes the message and does not answer until long after the client has given up."""
    SERVER_ERROR = "500"
    """Answers 500 and takes nothing."""
    TOO_MANY_REQUESTS = "429"
    """Answers 429 with Retry-After and takes nothing."""
    OPTED_OUT = "21610"
    """Refuses the message: the number is on Twilio's opt-out list."""
    UNREACHABLE = "30003"
    """Takes the message, then reports it undelivered: the phone is off."""
    LATE_STATUS = "late_status"
    """Reports "delivered" first and "sent" afterwards."""
    DUPLICATE = "duplicate"
    """Calls a webhook twice with the same message or status."""


class _Moment(StrEnum):
    """When a fault can strike."""

    REQUEST = "request"
    DELIVERY = "delivery"
    INBOUND = "inbound"


_MOMENTS = {
    _Moment.REQUEST: (Fault.TIMEOUT, Fault.SERVER_ERROR, Fault.TOO_MANY_REQUESTS, Fault.OPTED_OUT),
    _Moment.DELIVERY: (Fault.UNREACHABLE, Fault.LATE_STATUS, Fault.DUPLICATE),
    _Moment.INBOUND: (Fault.DUPLICATE,),
}


class Faults:
    """The faults still to come. A `duplicate` is due once inbound and once outbound, whichever happens first."""

    def __init__(self) -> None:
        self._due: dict[_Moment, list[Fault]] = {moment: [] for moment in _Moment}

    def add(self, mode: Fault | str, times: int = 1) -> None:
        """Go wrong like this the next `times` times. Raises ValueError for a mode that does not exist."""
        fault = Fault(mode)
        for moment, possible in _MOMENTS.items():
            if fault in possible:
                self._due[moment] += [fault] * times

    def clear(self) -> None:
        """Behave again."""
        for due in self._due.values():
            due.clear()

    def due(self) -> dict[str, int]:
        """What is still to come, and how often."""
        counts = [Counter(map(str, due)) for due in self._due.values()]
        return {name: max(count[name] for count in counts) for name in sorted(set().union(*counts))}

    def on_request(self) -> Fault | None:
        """The fault that strikes this POST, if any; it is used up."""
        return self._take(_Moment.REQUEST)

    def on_delivery(self) -> Fault | None:
        """The fault that strikes the delivery of this message, if any; it is used up."""
        return self._take(_Moment.DELIVERY)

    def on_inbound(self) -> Fault | None:
        """The fault that strikes this inbound webhook, if any; it is used up."""
        return self._take(_Moment.INBOUND)

    def _take(self, moment: _Moment) -> Fault | None:
        return self._due[moment].pop(0) if self._due[moment] else None
