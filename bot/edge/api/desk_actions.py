"""What a program may do for an agent: the actions of the desk, each answered with the case as it is afterwards."""

from __future__ import annotations

from aiohttp import web

from bot.core.authority import Money
from bot.core.errors import NotFound, Refused
from bot.core.vocabulary import Step
from bot.edge.api.answers import CaseView
from bot.edge.api.operation import Answer, Operation, Parameter, answer, body_of
from bot.edge.api.requests import ByAgent, NewGrant, Reopening, Reply, Resolution, StepChange, Transfer
from bot.edge.keys import SHOP
from bot.services import resources
from bot.services.desk import CaseDesk, find_agent


async def claim_case(request: web.Request) -> web.Response:
    """Take a case."""
    body = await body_of(request, ByAgent)
    await _desk(request).claim(_case(request), await _agent(request, body.agent))
    return await _snapshot(request)


async def reply_to_customer(request: web.Request) -> web.Response:
    """Write to the customer."""
    body = await body_of(request, Reply)
    await _desk(request).reply(_case(request), await _agent(request, body.agent), body.text)
    return await _snapshot(request)


async def set_step(request: web.Request) -> web.Response:
    """Tick off, reopen or waive a step."""
    body = await body_of(request, StepChange)
    name = request.match_info["step"]
    if name not in set(Step):
        raise NotFound(f"there is no step {name!r}; the steps are: {', '.join(Step)}")
    await _desk(request).step(_case(request), await _agent(request, body.agent), Step(name), body.state, body.note)
    return await _snapshot(request)


async def grant_gesture(request: web.Request) -> web.Response:
    """Give a gesture."""
    body = await body_of(request, NewGrant)
    money = Money.of(body.amount.value, body.amount.currency)
    agent = await _agent(request, body.agent)
    await _desk(request).grant(_case(request), agent, body.kind, money, body.note)
    return await _snapshot(request)


async def resolve_case(request: web.Request) -> web.Response:
    """The fix is made."""
    body = await body_of(request, Resolution)
    await _desk(request).resolve(_case(request), await _agent(request, body.agent), body.summary)
    return await _snapshot(request)


async def hand_back(request: web.Request) -> web.Response:
    """Let the bot speak again."""
    body = await body_of(request, ByAgent)
    await _desk(request).hand_back(_case(request), await _agent(request, body.agent))
    return await _snapshot(request)


async def transfer_case(request: web.Request) -> web.Response:
    """Hand the case to another agent."""
    body = await body_of(request, Transfer)
    heir = await _agent(request, body.to, field="to")
    await _desk(request).transfer(_case(request), await _agent(request, body.agent), heir, body.brief)
    return await _snapshot(request)


async def reopen_case(request: web.Request) -> web.Response:
    """Bring a case back."""
    body = await body_of(request, Reopening)
    await _desk(request).reopen(_case(request), await _agent(request, body.agent), body.reason)
    return await _snapshot(request)


def _desk(request: web.Request) -> CaseDesk:
    return CaseDesk(request.config_dict[SHOP])


def _case(request: web.Request) -> str:
    return request.match_info["id"]


async def _agent(request: web.Request, who: str, field: str = "agent") -> str:
    try:
        async with request.config_dict[SHOP].store(read_only=True) as tx:
            return (await find_agent(tx, who)).id
    except NotFound as error:
        raise Refused(str(error), field=field) from error


async def _snapshot(request: web.Request) -> web.Response:
    shop = request.config_dict[SHOP]
    async with shop.store(read_only=True) as tx:
        return answer(await resources.case_snapshot(tx, _case(request), shop.clock(), shop.playbooks))


_ID = Parameter("id", "path", "The case's id.", {"type": "string"})
_STEP = Parameter("step", "path", "Which step.", {"type": "string", "enum": [str(step) for step in Step]})
_AFTER = (Answer(200, "The case as it is now.", CaseView),)


def _action(
    path: str, handler: object, takes: type[ByAgent], summary: str, description: str, *more: Parameter
) -> Operation:
    return Operation(
        "POST",
        f"/cases/{{id}}/{path}",
        handler,  # type: ignore[arg-type]
        summary,
        description,
        "Desk",
        scope="desk",
        takes=(takes,),
        parameters=(_ID, *more),
        answers=_AFTER,
        refuses=(404, 409),
    )


OPERATIONS = (
    _action("claim", claim_case, ByAgent, "Claim a case", "Refused with 409 when someone else has it."),
    _action(
        "replies",
        reply_to_customer,
        Reply,
        "Reply to the customer",
        "Claims an open case; whatever the bot still had to say is withheld.",
    ),
    _action(
        "steps/{step}",
        set_step,
        StepChange,
        "Record a step of recovery",
        "Waiving takes a note. The follow-up is done when the customer has answered it.",
        _STEP,
    ),
    _action("grants", grant_gesture, NewGrant, "Give a gesture", "Within the agent's authority on one case."),
    _action(
        "resolve", resolve_case, Resolution, "Resolve a case", "Refused while a step is open. The bot follows up later."
    ),
    _action("handback", hand_back, ByAgent, "Hand the conversation back", "The bot speaks again; the case stays."),
    _action("transfer", transfer_case, Transfer, "Transfer a case", "With a brief, so that nobody asks twice."),
    _action("reopen", reopen_case, Reopening, "Reopen a case", "A resolved or closed one, with the reason."),
)
