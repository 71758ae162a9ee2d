"""`/faults`: the look-alike's misbehaviour, asked for one by one or by chance, looked at, and ended."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from bot.channels.simulator.asking import body_of, phone_of, problem, whole_number
from bot.channels.simulator.faults import MIXED, NEED_A_CODE, Fault, Faults, Strike, Weather
from bot.channels.simulator.lookalike import LOOKALIKE

_MOST_TIMES = 10_000
_CODES = (10_000, 99_999)
_ALL = frozenset(Fault)


def add_faults(app: web.Application) -> None:
    """POST adds faults to come, GET shows them and those that struck, DELETE ends them."""
    app.router.add_post("/faults", _break)
    app.router.add_get("/faults", _look)
    app.router.add_delete("/faults", _mend)


async def _break(request: web.Request) -> web.Response:
    """`{"mode", "times", "phone", "code", "retry_after"}` for what is to come next, or `{"rate", "seed", "kinds"}`."""
    body = await body_of(request)
    faults = request.app[LOOKALIKE].faults
    if "rate" in body:
        faults.weather = _weather(body)
        return web.json_response(_state(faults), status=201)
    mode = body.get("mode")
    if not isinstance(mode, str) or mode not in _ALL:
        raise problem("mode", f"is one of {', '.join(Fault)}; for faults by chance give `rate`, `seed` and `kinds`")
    times = whole_number(body.get("times", 1), "times", 1, _MOST_TIMES)
    faults.add(_strike(Fault(mode), body), times)
    return web.json_response({"mode": mode, "times": times, **_state(faults)}, status=201)


def _strike(fault: Fault, body: dict[str, Any]) -> Strike:
    if fault in NEED_A_CODE and "code" not in body:
        raise problem("code", f"names Twilio's error for the mode {fault}, such as 30007")
    code = whole_number(body["code"], "code", *_CODES) if "code" in body else 0
    phone = phone_of(body["phone"], "phone") if body.get("phone") else ""
    retry_after = body.get("retry_after", "1")
    if not isinstance(retry_after, str | int) or isinstance(retry_after, bool) or len(str(retry_after)) > 40:
        raise problem("retry_after", "is a number of seconds, or a date as HTTP writes it")
    return Strike(fault, code=code, phone=phone, retry_after=str(retry_after))


def _weather(body: dict[str, Any]) -> Weather | None:
    rate, kinds = body["rate"], body.get("kinds", [str(kind) for kind in MIXED])
    if not isinstance(rate, int | float) or isinstance(rate, bool) or not 0 <= rate <= 1:
        raise problem("rate", "is a probability from 0 to 1")
    if not isinstance(kinds, list) or not kinds or not all(isinstance(kind, str) and kind in _ALL for kind in kinds):
        raise problem("kinds", f"is a list of some of {', '.join(sorted(_ALL - NEED_A_CODE))}")
    if needy := sorted(NEED_A_CODE & set(kinds)):
        raise problem("kinds", f"cannot have {needy[0]}, which needs a code")
    seed = whole_number(body.get("seed", 0), "seed", 0, 2**53)
    return Weather(float(rate), seed, tuple(Fault(kind) for kind in kinds)) if rate else None


async def _look(request: web.Request) -> web.Response:
    return web.json_response(_state(request.app[LOOKALIKE].faults))


async def _mend(request: web.Request) -> web.Response:
    faults = request.app[LOOKALIKE].faults
    faults.clear()
    return web.json_response(_state(faults))


def _state(faults: Faults) -> dict[str, Any]:
    weather = faults.weather
    chance = weather and {"rate": weather.rate, "seed": weather.seed, "kinds": [str(kind) for kind in weather.kinds]}
    return {"due": faults.due(), "by_chance": chance, "struck": faults.struck()}
