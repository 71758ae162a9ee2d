"""How fast one sender may send: segments a second, with a burst, answers before those with which we write first.

Carriers count segments, per sender, whoever of us sends: so the meter is one row in the store and its decisions are
made here. It is a leaky bucket kept as the instant at which it will have run empty. Who finds no room is given a place
in a queue, a time at which to ask again; there is a queue for answers and one for those who write first, and while an
answer waits, nobody leaves who writes first. So a backlog of ten thousand questions holds up no reply.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

_GRACE = timedelta(milliseconds=1)
"""Added to a place, so that rounding does not make whoever comes on time too early."""
_TOLL_FREE = re.compile(r"\+1(?:800|833|844|855|866|877|888)\d{7}")
_SHORT_CODE = re.compile(r"\d{3,8}")
_LEAST_BURST = 10


@dataclass(frozen=True, slots=True)
class Pace:
    """Segments a second in the long run, and how many may leave at once after a quiet time."""

    segments_per_second: float
    burst: int = _LEAST_BURST


@dataclass(frozen=True, slots=True)
class Meter:
    """What one sender has sent: when the bucket is empty again, and the ends of the two queues."""

    busy_until: datetime
    answers_until: datetime
    firsts_until: datetime


def pace_of(sender: str, segments_per_second: float = 0) -> Pace:
    """The pace of a number or service: as given, else what carriers allow its kind (1, toll-free 3, short code 10)."""
    if not segments_per_second:
        segments_per_second = 3 if _TOLL_FREE.fullmatch(sender) else 10 if _SHORT_CODE.fullmatch(sender) else 1
    return Pace(segments_per_second, max(_LEAST_BURST, round(5 * segments_per_second)))


def admit(
    pace: Pace, meter: Meter, *, segments: int, first: bool, placed: bool, now: datetime
) -> tuple[Meter, datetime | None]:
    """The meter afterwards, and None when the message may leave now, else when to ask again.

    `first`: we write first; such a message may use half the burst only and waits for every answer. `placed`: its time
    has come, so it need not queue again behind those that came later. A message larger than the burst leaves when the
    bucket is empty.
    """
    cost = timedelta(seconds=segments / pace.segments_per_second)
    room = timedelta(seconds=pace.burst / pace.segments_per_second) / (2 if first else 1)
    begin = max(meter.busy_until, now)
    fits = begin == now or begin + cost <= now + room
    queued = meter.answers_until > now if first else False
    queued = queued or (not placed and (meter.firsts_until if first else meter.answers_until) > now)
    if fits and not queued:
        return replace(meter, busy_until=begin + cost), None
    roomy = min(begin, begin + cost - room)
    ahead = max(meter.answers_until, meter.firsts_until) if first else meter.answers_until
    place = max(now, roomy, ahead) + _GRACE
    if first:
        return replace(meter, firsts_until=place + cost), place
    return replace(meter, answers_until=place + cost), place
