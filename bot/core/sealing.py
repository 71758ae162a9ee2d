"""Recognising somebody again of whom nothing is kept: a keyed hash of an address or a number of theirs."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

_KEY_ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Sealer:
    """Makes marks with a secret key. Without the key nobody can tell whose a mark is, not even by trying all numbers.

    An empty key makes no marks: a plain hash of a phone number is the phone number.
    """

    key: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        """Whether there is a key."""
        return bool(self.key)

    def mark(self, kind: str, value: str) -> str:
        """The mark (64 hexadecimal digits) of one identifier; `kind` keeps a phone apart from an order number."""
        if not self.key:
            raise ValueError("there is no key to seal with")
        return hmac.new(self.key.encode(), f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()

    @property
    def key_id(self) -> str:
        """Names the key without telling it, so that another key is noticed; empty without one."""
        return self.mark("key", "")[:_KEY_ID_DIGITS] if self.key else ""
