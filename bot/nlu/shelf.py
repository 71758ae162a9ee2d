"""Embeddings kept on disk while learning and measuring, so that a second run does not compute them again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bot.nlu.embedding import WIDTH, Embeds, Vectors, readable

_AT_ONCE = 64
_SAVED_EVERY = 40


class Shelf:
    """Embeds through another, each text once. Large batches reach the file; a few texts are kept in memory only."""

    def __init__(self, embedder: Embeds, path: Path, said: Callable[[str], None] = lambda _: None) -> None:
        self._embedder, self._path, self._said = embedder, path, said
        self._known: dict[str, Vectors] = {}
        if path.is_file():
            with np.load(path, allow_pickle=False) as stored:
                self._known = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """[texts, WIDTH], each row of length one."""
        keys = [_key(text) for text in texts]
        new = sorted({k: t for k, t in zip(keys, texts, strict=True) if k not in self._known}.items(), key=_by_length)
        for at in range(0, len(new), _AT_ONCE):
            some = new[at : at + _AT_ONCE]
            vectors = self._embedder.embed([text for _, text in some])
            self._known.update(zip((key for key, _ in some), vectors, strict=True))
            if at // _AT_ONCE % _SAVED_EVERY == _SAVED_EVERY - 1:
                self._said(f"  embedded {at + len(some)} of {len(new)} new texts")
                self._write()
        if len(new) >= _AT_ONCE:
            self._write()
        return np.stack([self._known[key] for key in keys]) if keys else np.zeros((0, WIDTH), np.float32)

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        half = self._path.with_suffix(".half.npz")
        np.savez(half, keys=np.array(list(self._known)), vectors=np.stack(list(self._known.values())))
        half.replace(self._path)


def _key(text: str) -> str:
    return hashlib.sha256(readable(text).encode()).hexdigest()[:24]


def _by_length(item: tuple[str, str]) -> tuple[int, str]:
    """Texts of like length together, which the engine does fastest."""
    return len(item[1]), item[1]
