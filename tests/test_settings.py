"""Settings come from the environment over a file over defaults, and each is documented."""

from pathlib import Path

import pytest

from bot.core.errors import Unusable
from bot.settings import PREFIX, Settings, load

NOWHERE = Path("there-is-no-such-file.toml")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_own_words(name: str) -> None:
    """docs/settings.md says what the code says."""
    documented = Path("docs/settings.md").read_text(encoding="utf-8")
    assert f"`{PREFIX}{name.upper()}`" in documented
    assert str(Settings.model_fields[name].description) in documented


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """And what neither says is the default."""
    file = tmp_path / "afterword.toml"
    file.write_text('business = "Corner Café"\nport = 9000\n', encoding="utf-8")

    settings = load({"AFTERWORD_PORT": "9001"}, file)

    assert (settings.business, settings.port, settings.language) == ("Corner Café", 9001, "en")


def test_database_url_is_read_by_its_usual_name() -> None:
    """Hosting platforms set DATABASE_URL."""
    assert load({"DATABASE_URL": "postgresql://db/x"}, NOWHERE).sql_url() == "postgresql://db/x"


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"AFTERWORD_PORT": "eighty"}, "AFTERWORD_PORT"),
        ({"AFTERWORD_CONTACT_FROM": "9 o'clock"}, "contact_from"),
        ({"AFTERWORD_TWILIO_ACCOUNT_SID": "SK123"}, "an account is AC"),
        ({"AFTERWORD_TWILIO_SENDER": "07700 900001"}, "name one sender"),
        ({"AFTERWORD_TWILIO_SENDER": "+447700900001,MG" + "0" * 32}, "not both"),
        ({"AFTERWORD_TWILIO_SENDER": "07700900001"}, r"such as \+447700900001"),
        ({"AFTERWORD_TWILIO_SENDER": "MG123"}, "32 hexadecimal"),
        ({"AFTERWORD_TWILIO_SHARED_KEYS": "just-a-secret"}, "NAME=SECRET"),
        ({"AFTERWORD_TWILIO_SEGMENTS_PER_SECOND": "-1"}, "SEGMENTS_PER_SECOND"),
    ],
)
def test_an_unusable_setting_is_named(environ: dict[str, str], named: str) -> None:
    """One line that says which setting and what is wrong with it."""
    with pytest.raises(Unusable, match=named):
        load(environ, NOWHERE)


def test_an_unknown_setting_in_the_file_is_named(tmp_path: Path) -> None:
    """A slip of the pen must not be silently without effect."""
    file = tmp_path / "afterword.toml"
    file.write_text('busines = "x"\n', encoding="utf-8")
    with pytest.raises(Unusable, match="busines"):
        load({}, file)


def test_a_secret_is_not_shown() -> None:
    """Printing the settings prints no secret."""
    assert "hush" not in repr(load({"AFTERWORD_TWILIO_AUTH_TOKEN": "hush"}, NOWHERE))


@pytest.mark.parametrize("sender", ["+447700900001", "12345", "MG" + "0a" * 16, ""])
def test_a_sender_is_a_number_a_short_code_or_a_service(sender: str) -> None:
    """One of them; without an account, none."""
    assert load({"AFTERWORD_TWILIO_SENDER": sender}, NOWHERE).twilio_sender == sender


def test_shared_keys_are_told_apart_by_name() -> None:
    """Two while one replaces the other; a secret may have an equals sign in it."""
    settings = load({"AFTERWORD_TWILIO_SHARED_KEYS": "key_1=se=cret, key_2 = next"}, NOWHERE)

    assert settings.shared_keys() == {"key_1": "se=cret", "key_2": "next"}
    assert "se=cret" not in repr(settings)
