"""Learn the detector's weights anew, and measure what they are worth."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from bot.core.errors import Unusable
from bot.launch.progress import say
from bot.nlu.ablation import ablation
from bot.nlu.embedding import default_embedder
from bot.nlu.evaluation import LEARNT_FROM, WHY, Figures, Reply, as_table, by_fifth, measure, own_sets, public_sets
from bot.nlu.learning import Learnt, learn
from bot.nlu.scorer import MEANING_FILE, Scorer, default_scorer
from bot.nlu.shelf import Shelf


def train_detector(data: Path, out: Path, cache: Path) -> bool:
    """Learn the weights and say, file by file, whether they are those that were there; whether all of them are.

    Raises Unusable when the folder with the public sets is not one.
    """
    learnt = _learn(data, cache)
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        learnt.write(fresh)
        if learnt.meaning is None:
            say(f"  {MEANING_FILE}: kept, for it cannot be learnt without sentence embeddings")
        same = [_put(path, out / path.name) for path in sorted(fresh.iterdir())]
    return all(same)


def evaluate(data: Path, cache: Path, *, parts: bool) -> None:
    """Print the table of every set in a folder and of our own held-out replies; with `parts`, what each part adds.

    Raises Unusable when there is no set in the folder.
    """
    sets = dict(public_sets(data))
    if not sets:
        raise Unusable(f"there is no measuring set (*.jsonl) in {data}")
    learnt = _learn(data.parent, cache)
    say()
    say(as_table(list(_lines(sets, learnt, cache))))
    if parts and "en_fft" in sets:
        say()
        say(as_table(list(ablation(data.parent, sets["en_fft"], learnt, _shelf(cache)))))


def _lines(sets: Mapping[str, list[Reply]], learnt: Learnt, cache: Path) -> Iterator[Figures]:
    kept, live = _shelf(cache), default_scorer()
    shipped, unseen = Scorer.load(embedder=kept), by_fifth(learnt.scorers(kept))
    for name, replies in sets.items():
        learnt_from = name in LEARNT_FROM
        how, pick = ("5 folds", unseen) if learnt_from else ("never learnt from", lambda _: shipped)
        yield measure(name, how, replies, pick, live)
        if why := [reply for reply in replies if reply.asked.startswith(WHY)]:
            yield measure(f"{name}: “{WHY}…”", how, why, pick)
    for name, replies in own_sets(held_out=True):
        if replies:
            yield measure(name, "held out", replies, lambda _: shipped, live)
    for name, replies in own_sets(held_out=False):
        if replies:
            yield measure(name, "5 folds", replies, unseen)


def _learn(data: Path, cache: Path) -> Learnt:
    if not (data / "measure").is_dir():
        raise Unusable(f"{data} has no folder measure/: name the folder that holds measure/ and train/")
    return learn(data, _shelf(cache), say)


def _shelf(cache: Path) -> Shelf | None:
    """The embedder with its results kept in a file; the sentence embedding is `None` where there is none."""
    embedder = default_embedder()
    return Shelf(embedder, cache / "embeddings" / "shelf.npz", say) if embedder else None


def _put(new: Path, old: Path) -> bool:
    """Put a file of weights in its place and say whether anything changed."""
    same = old.is_file() and old.read_bytes() == new.read_bytes()
    say(f"  {new.name}: {'the same, byte for byte' if same else _difference(new, old)}")
    if not same:
        old.parent.mkdir(parents=True, exist_ok=True)
        old.write_bytes(new.read_bytes())
    return same


def _difference(new: Path, old: Path) -> str:
    if not old.is_file():
        return "new"
    before, after = _numbers(old), _numbers(new)
    if before.keys() != after.keys():
        return f"differs: {len(before.keys() ^ after.keys()):,} of {len(after):,} weights are new or gone"
    changed = [name for name in after if before[name] != after[name]]
    furthest = max(changed, key=lambda name: abs(before[name] - after[name]), default="")
    return f"differs in {len(changed):,} of {len(after):,} weights, the most in {furthest}"


def _numbers(path: Path) -> dict[str, float]:
    """Every number of a file of weights under the path to it."""
    found: dict[str, float] = {}

    def walk(where: str, value: object) -> None:
        if isinstance(value, int | float):
            found[where] = float(value)
        elif isinstance(value, Mapping):
            for name, part in value.items():
                walk(f"{where}/{name}", part)
        elif isinstance(value, list):
            for at, part in enumerate(value):
                walk(f"{where}/{at}", part)

    walk("", json.loads(gzip.decompress(path.read_bytes())))
    return found
