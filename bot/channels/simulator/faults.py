"""Misbehaviour on demand, so that what Twilio does on a bad day can be seen on a good one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """One way to go wrong. Each is used up by the next request, message or webhook that it fits."""

    TIMEOUT = "timeout"
    """Takes the message and does not answer until long after the client has given up."""
    SERVER_ERROR = "500"
    """Answers 500 and takes nothing."""
    SERVER_ERROR_AFTER = "500_after"
    """Takes the message and answers 500."""
    UNAVAILABLE = "503"
    """Answers 503 with Retry-After and takes nothing."""
    TOO_MANY_REQUESTS = "429"
    """Answers 429 with Retry-After and takes nothing."""
    OPTED_OUT = "21610"
    """Refuses the message: the number is on Twilio's opt-out list."""
    REFUSED = "refused"
    """Refuses the message with the error `code`."""
    OPTED_OUT_LATER = "21610_later"
    """Takes the message, then reports it failed: the number is on Twilio's opt-out list."""
    UNREACHABLE = "30003"
    """Takes the message, then reports it undelivered: the phone is off."""
    UNDELIVERED = "undelivered"
    """Takes the message, then reports it undelivered with the error `code`."""
    EARLY_STATUS = "early_status"
    """Reports everything before the request is answered."""
    LATE_STATUS = "late_status"
    """Reports "delivered" first and "sent" afterwards."""
    SLOW_STATUS = "slow_status"
    """Reports everything long after it happened."""
    LOST_STATUS = "lost_status"
    """Reports nothing."""
    DUPLICATE = "duplicate"
    """Calls a webhook twice with the same message or status."""


NEED_A_CODE = frozenset({Fault.REFUSED, Fault.UNDELIVERED})
_CODES = {Fault.OPTED_OUT: 21610, Fault.OPTED_OUT_LATER: 21610, Fault.UNREACHABLE: 30003}
MIXED = (
    Fault.TIMEOUT,
    Fault.SERVER_ERROR,
    Fault.SERVER_ERROR_AFTER,
    Fault.TOO_MANY_REQUESTS,
    Fault.LATE_STATUS,
    Fault.SLOW_STATUS,
    Fault.DUPLICATE,
)
"""What goes wrong by chance when no kinds are named: everything that loses no message for good."""


class _Moment(StrEnum):
    """When a fault can strike."""

    REQUEST = "request"
    DELIVERY = "delivery"
    INBOUND = "inbound"


_MOMENTS = {
    _Moment.REQUEST: (
        Fault.TIMEOUT,
        Fault.SERVER_ERROR,
        Fault.SERVER_ERROR_AFTER,
        Fault.UNAVAILABLE,
        Fault.TOO_MANY_REQUESTS,
        Fault.OPTED_OUT,
        Fault.REFUSED,
    ),
    _Moment.DELIVERY: (
        Fault.OPTED_OUT_LATER,
        Fault.UNREACHABLE,
        Fault.UNDELIVERED,
        Fault.EARLY_STATUS,
        Fault.LATE_STATUS,
        Fault.SLOW_STATUS,
        Fault.LOST_STATUS,
        Fault.DUPLICATE,
    ),
    _Moment.INBOUND: (Fault.DUPLICATE,),
}


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that strikes now. `code`: Twilio's error where there is one; `retry_after`: that header's text."""

    fault: Fault
    code: int = 0
    retry_after: str = "1"
    phone: str = ""
    """The only phone it strikes; "" for any."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", self.code or _CODES.get(self.fault, 0))


@dataclass(frozen=True, slots=True)
class Weather:
    """Faults by chance: at each moment one of `kinds` that fits it strikes with the probability `rate`.

    Whether the n-th moment of a kind meets a phone with a fault hangs on `seed`, the phone and n alone, so that a run
    can be repeated although requests arrive in another order.
    """

    rate: float
    seed: int
    kinds: tuple[Fault, ...] = MIXED


class Faults:
    """The faults still to come. A `duplicate` is due once inbound and once outbound, whichever happens first."""

    def __init__(self) -> None:
        self._due: dict[_Moment, list[Strike]] = {moment: [] for moment in _Moment}
        self._met: Counter[tuple[_Moment, str]] = Counter()
        self._struck: Counter[str] = Counter()
        self.weather: Weather | None = None

    def add(self, strike: Strike | str, times: int = 1) -> None:
        """Go wrong like this the next `times` times. Raises ValueError for a fault that does not exist."""
        strike = strike if isinstance(strike, Strike) else Strike(Fault(strike))
        for moment, possible in _MOMENTS.items():
            if strike.fault in possible:
                self._due[moment] += [strike] * times

    def clear(self) -> None:
        """Behave again."""
        self.weather = None
        for due in self._due.values():
            due.clear()

    def due(self) -> dict[str, int]:
        """What is still to come, and how often."""
        counts = [Counter(str(strike.fault) for strike in due) for due in self._due.values()]
        return {name: max(count[name] for count in counts) for name in sorted(set().union(*counts))}

    def struck(self) -> dict[str, int]:
        """What has gone wrong so far, and how often."""
        return dict(sorted(self._struck.items()))

    def on_request(self, phone: str) -> Strike | None:
        """The fault that strikes this POST for a phone, if any; it is used up."""
        return self._take(_Moment.REQUEST, phone)

    def on_delivery(self, phone: str) -> Strike | None:
        """The fault that strikes the delivery of this message, if any; it is used up."""
        return self._take(_Moment.DELIVERY, phone)

    def on_inbound(self, phone: str) -> Strike | None:
        """The fault that strikes this inbound webhook, if any; it is used up."""
        return self._take(_Moment.INBOUND, phone)

    def _take(self, moment: _Moment, phone: str) -> Strike | None:
        due = self._due[moment]
        strike = next((one for one in due if one.phone in ("", phone)), None)
        if strike is not None:
            due.remove(strike)
        else:
            strike = self._by_chance(moment, phone)
        if strike is not None:
            self._struck[str(strike.fault)] += 1
        return strike

    def _by_chance(self, moment: _Moment, phone: str) -> Strike | None:
        if self.weather is None:
            return None
        self._met[moment, phone] += 1
        dice = random.Random(f"{self.weather.seed}:{moment}:{phone}:{self._met[moment, phone]}")  # noqa: S311
        fitting: Sequence[Fault] = [kind for kind in self.weather.kinds if kind in _MOMENTS[moment]]
        return Strike(dice.choice(fitting)) if fitting and dice.random() < self.weather.rate else None
