"""How well the apology rules find what they look for, on the sentences of tests/core/apology.

`python -m benchmarks.apology` prints the table and what went wrong; `--examples` prints every sentence, by language and
kind. Table and sentences are published in docs/apology.md.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bot.core.apology import READS_AS, ApologyRules, Kind, lint
from bot.services.apology import load

ROOT = Path(__file__).resolve().parent.parent
SENTENCES = ROOT / "tests/core/apology"
NAMES = {
    **{"en": "English", "tr": "Turkish", "el": "Greek", "fa": "Persian"},
    **{"sr": "Serbian", "es": "Spanish", "de": "German"},
}


@dataclass(frozen=True, slots=True)
class Sentence:
    """One written sentence, and what should be found in it: nothing, when it is good."""

    text: str
    kinds: frozenset[Kind]


@dataclass(frozen=True, slots=True)
class Figures:
    """How a language did. A hit is a kind found where it stands; what was wrong is kept to be looked at."""

    sentences: int
    hits: int
    false: tuple[tuple[str, Kind], ...]
    missed: tuple[tuple[str, Kind], ...]

    @property
    def precision(self) -> float:
        """Of what was found, the share that is there."""
        return self.hits / max(1, self.hits + len(self.false))

    @property
    def recall(self) -> float:
        """Of what is there, the share that was found."""
        return self.hits / max(1, self.hits + len(self.missed))


def sentences(language: str, folder: Path = SENTENCES) -> list[Sentence]:
    """The written set of one language."""
    lines = (folder / f"{language}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    return [Sentence(row["text"], frozenset(map(Kind, row["kinds"]))) for row in rows]


def measure(rules: ApologyRules, written: Iterable[Sentence]) -> Figures:
    """Precision and recall over every kind in every sentence."""
    written, hits = list(written), 0
    false: list[tuple[str, Kind]] = []
    missed: list[tuple[str, Kind]] = []
    for sentence in written:
        found = {finding.kind for finding in lint(sentence.text, rules)}
        hits += len(found & sentence.kinds)
        false += [(sentence.text, kind) for kind in sorted(found - sentence.kinds)]
        missed += [(sentence.text, kind) for kind in sorted(sentence.kinds - found)]
    return Figures(len(written), hits, tuple(false), tuple(missed))


def table(rules: dict[str, ApologyRules]) -> str:
    """The figures of every language, as Markdown."""
    lines = ["| language | sentences | findings due | precision | recall |", "|---|--:|--:|--:|--:|"]
    for language in NAMES:
        figures = measure(rules[language], sentences(language))
        due = figures.hits + len(figures.missed)
        lines.append(
            f"| {NAMES[language]} | {figures.sentences} | {due} | {figures.precision:.2f} | {figures.recall:.2f} |"
        )
    return "\n".join(lines)


def examples() -> str:
    """Every sentence, by language and kind, as Markdown."""
    parts: list[str] = []
    for language, name in NAMES.items():
        written = sentences(language)
        parts.append(f"### {name}\n")
        for kind in Kind:
            told = [f"- {sentence.text}" for sentence in written if kind in sentence.kinds]
            parts += [f"**{READS_AS[kind]}** (`{kind}`)\n", *told, ""]
        parts += ["**Nothing to find**\n", *(f"- {s.text}" for s in written if not s.kinds), ""]
    return "\n".join(parts).strip()


def main(arguments: list[str]) -> None:
    """Print the table, with what went wrong; or the examples."""
    if "--examples" in arguments:
        print(examples())
        return
    rules = load(ROOT / "data/apology")
    print(table(rules))
    for language in NAMES:
        figures = measure(rules[language], sentences(language))
        for words, wrong in (("found wrongly", figures.false), ("missed", figures.missed)):
            for text, kind in wrong:
                print(f"{language}: {words}: {kind}: {text}")
        counted = Counter(kind for s in sentences(language) for kind in s.kinds)
        assert len(counted) == len(Kind), f"{language} does not show every kind"


if __name__ == "__main__":
    main(sys.argv[1:])
