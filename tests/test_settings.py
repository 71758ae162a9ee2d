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
    [({"AFTERWORD_PORT": "eighty"}, "AFTERWORD_PORT"), ({"AFTERWORD_CONTACT_FROM": "9 o'clock"}, "contact_from")],
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
