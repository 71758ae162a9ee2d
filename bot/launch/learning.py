"""`afterword recalibrate`, as lines to print."""

from __future__ import annotations

from bot.app import bare_workshop
from bot.core.calibration import FEWEST_LABELS, Quality
from bot.services.learning import Learnt, recalibrate
from bot.settings import Settings


async def refit_and_report(settings: Settings) -> list[str]:
    """Refit, keep what is better, and say before and after on the held-out labels of each language and site."""
    async with bare_workshop(settings) as shop:
        learnt = await recalibrate(shop)
    if not learnt:
        return [
            f"No verdict has been confirmed or corrected yet; {FEWEST_LABELS} make a beginning (the desk, one click)."
        ]
    heading = f"{'language':<10} {'site':<14} {'labels':>6}  {'before (loss, false alarms, recall)':<36} after"
    return [heading, *(_line(one) for one in learnt)]


def _line(learnt: Learnt) -> str:
    place = f"{learnt.language:<10} {learnt.site_id or 'every site':<14} {learnt.labels:>6}  "
    if learnt.refit is None:
        return place + f"too few, or too few of one kind: {FEWEST_LABELS} are wanted"
    kept = "kept" if learnt.refit.kept else "refused"
    return place + f"{_words(learnt.refit.before):<36} {_words(learnt.refit.after)}  {kept}: {learnt.refit.reason}"


def _words(quality: Quality) -> str:
    return f"{quality.log_loss:.3f}, {quality.false_alarms:.0%}, {quality.recall:.0%}"
