"""A mark recognises somebody and tells nobody who they are."""

import hashlib

import pytest

from bot.core.sealing import Sealer

PHONE = "+447700900001"


def test_the_same_identifier_always_has_the_same_mark() -> None:
    """With the same key, in every process."""
    assert Sealer("a key").mark("sms", PHONE) == Sealer("a key").mark("sms", PHONE)


def test_another_key_another_kind_and_another_identifier_have_other_marks() -> None:
    """An order number that looks like a phone is not that phone."""
    sealer = Sealer("a key")
    marks = {sealer.mark("sms", PHONE), sealer.mark("external", PHONE), sealer.mark("sms", "+447700900002")}
    assert len(marks | {Sealer("another").mark("sms", PHONE)}) == 4


def test_whoever_has_no_key_cannot_find_a_number_by_trying() -> None:
    """It is no plain hash of what it was made of."""
    mark = Sealer("a key").mark("sms", PHONE)
    assert mark not in {hashlib.sha256(word.encode()).hexdigest() for word in (PHONE, f"sms:{PHONE}")}


def test_the_key_is_named_and_not_shown() -> None:
    """A lost key can be noticed without anybody reading it."""
    assert "a key" not in repr(Sealer("a key"))
    assert Sealer("a key").key_id not in ("", Sealer("another").key_id)


def test_without_a_key_there_are_no_marks() -> None:
    """An empty key would make a hash that anybody can make."""
    assert not Sealer()
    assert Sealer().key_id == ""
    with pytest.raises(ValueError, match="no key"):
        Sealer().mark("sms", PHONE)
