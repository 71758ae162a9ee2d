"""Learning at the site: agents confirm or correct verdicts, and enough of their words refit the calibration there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bot.core.calibration import AS_SHIPPED, Calibration, Label, Refit, refit
from bot.core.errors import Refused
from bot.services.conversing import load_thread
from bot.services.entities import Agent, AssessmentRecord, AuditEntry, ServiceEvent, SiteCalibration, VerdictLabel
from bot.services.ports import UnitOfWork
from bot.services.workshop import Workshop


@dataclass(frozen=True, slots=True)
class Learnt:
    """What one group of labels came to; `refit` is None when there were too few. `site_id` None: every site."""

    language: str
    site_id: str | None
    labels: int
    refit: Refit | None


async def label_verdict(shop: Workshop, assessment_id: str, agent_id: str, *, unhappy: bool) -> VerdictLabel:
    """Keep an agent's word on whether the customer was unhappy; a later word replaces an earlier one.

    Raises NotFound for an unknown assessment, Refused for a judged silence, which has no words to learn from.
    """
    async with shop.store() as tx:
        record = await tx.get(AssessmentRecord, assessment_id)
        agent = await tx.get(Agent, agent_id)
        if record.message_id is None:
            raise Refused("only an answer in words can be confirmed or corrected", field="assessment")
        label = await tx.one(VerdictLabel, assessment_id=assessment_id) or await _new_label(tx, shop, record)
        label.unhappy, label.by, label.at = unhappy, agent.name, shop.clock()
        tx.add(label)
        detail = {"unhappy": unhappy, "verdict": record.verdict.value}
        tx.add(AuditEntry(at=label.at, who=agent.email, action="verdict", subject=record.id, detail=detail))
        tx.changed("desk", f"conversation:{record.conversation_id}")
        await tx.commit()
        return label


async def _new_label(tx: UnitOfWork, shop: Workshop, record: AssessmentRecord) -> VerdictLabel:
    event = await tx.find(ServiceEvent, record.service_event_id) if record.service_event_id else None
    thread = await load_thread(tx, record.conversation_id)
    return VerdictLabel(
        assessment_id=record.id,
        site_id=event.site_id if event else None,
        language=thread.language(shop.rules),
        uncalibrated=record.probability if record.uncalibrated is None else record.uncalibrated,
        unhappy=False,
        by="",
        at=shop.clock(),
    )


async def calibration_for(tx: UnitOfWork, language: str, site_id: str | None) -> Calibration:
    """What was learnt in this language at this site, else in this language anywhere, else nothing."""
    for place in dict.fromkeys((site_id, None)):
        known = await tx.one(SiteCalibration, language=language, site_id=place)
        if known is not None:
            return Calibration(known.slope, known.intercept, known.threshold)
    return AS_SHIPPED


async def recalibrate(shop: Workshop) -> list[Learnt]:
    """Refit every language at every site, and every language over all its sites; keep what held-out labels like."""
    async with shop.store() as tx:
        groups: dict[tuple[str, str | None], list[VerdictLabel]] = defaultdict(list)
        for label in await tx.all(VerdictLabel, order_by="id"):
            groups[label.language, None].append(label)
            if label.site_id is not None:
                groups[label.language, label.site_id].append(label)
        learnt = [
            await _learn(tx, shop, language, site_id, labels)
            for (language, site_id), labels in sorted(
                groups.items(), key=lambda group: (group[0][0], group[0][1] or "")
            )
        ]
        await tx.commit()
        return learnt


async def _learn(
    tx: UnitOfWork, shop: Workshop, language: str, site_id: str | None, labels: Sequence[VerdictLabel]
) -> Learnt:
    current = await tx.one(SiteCalibration, language=language, site_id=site_id)
    in_force = await calibration_for(tx, language, site_id)
    found = refit([Label(label.id, label.uncalibrated, label.unhappy) for label in labels], in_force)
    if found is not None and found.kept:
        new = found.calibration
        row = current or SiteCalibration(
            language=language, site_id=site_id, slope=1, intercept=0, threshold=0.5, labels=0, at=shop.clock()
        )
        row.slope, row.intercept, row.threshold = new.slope, new.intercept, new.threshold
        row.labels, row.at = len(labels), shop.clock()
        tx.add(row)
    return Learnt(language, site_id, len(labels), found)
