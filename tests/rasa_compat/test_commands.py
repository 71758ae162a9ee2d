"""Rasa's own commands in this environment, and what Rasa says when it is asked for what is not here."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
import rasa.__main__
import rasa.model_training
import rasa.nlu
from rasa.engine.exceptions import GraphSchemaValidationException

from bot.rasa_compat import stubs

pytestmark = pytest.mark.filterwarnings("ignore")  # Rasa 3.6 uses much that is deprecated since

COMMANDS = ["init", "run", "run actions", "shell", "train", "interactive", "telemetry", "test", "visualize", "data"]
COMMANDS += ["data validate", "export", "evaluate", "x"]


BOTH = """
import sys
from rasa.__main__ import main
for words in ("data validate --data nlu.yml rules.yml", "test core --stories test_stories.yml --out results"):
    sys.argv = ["rasa", *words.split()]
    main()
"""


@pytest.fixture(scope="module")
def started(tiny_bot) -> subprocess.Popen[str]:  # type: ignore[no-untyped-def]
    """`rasa data validate` and `rasa test`, in one process because most of their time is its start."""
    process: subprocess.Popen[str] = tiny_bot.start(sys.executable, "-c", BOTH)
    return process


def test_rasa_train_leaves_a_model(tiny_bot, started) -> None:  # type: ignore[no-untyped-def]
    """`rasa train`, by its plain name, trained the bot of all these tests; slow commands begin meanwhile."""
    assert list((tiny_bot.folder / "models").glob("*.tar.gz"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each of Rasa's commands answers --help."""
    with pytest.raises(SystemExit) as ended:
        rasa.__main__.create_argument_parser().parse_args([*command.split(), "--help"])

    assert ended.value.code == 0
    assert "usage: rasa" in capsys.readouterr().out


@pytest.mark.parametrize("package", ["rasa.core", "rasa.nlu", "rasa.engine", "rasa.shared", "rasa.utils"])
def test_every_module_can_be_imported(package: str) -> None:
    """No module of Rasa needs a library that is neither here nor stood in for, but those that say so themselves."""
    optional = {"mitie", "spacy", "jieba", "transformers", "redis", "kafka", "confluent_kafka", "azure", "google.cloud"}
    root = importlib.import_module(package)

    missing = {}
    for module in pkgutil.walk_packages(root.__path__, f"{package}."):
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            missing[module.name] = error.name or str(error)

    assert set(missing.values()) <= optional, missing


@pytest.mark.parametrize(
    ("section", "component"),
    [("pipeline", "DIETClassifier"), ("pipeline", "ResponseSelector"), ("policies", "TEDPolicy")],
)
def test_a_component_that_needs_tensorflow_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, component: str
) -> None:
    """Who configures DIET or TED is told which component asks for what, before anything is trained."""
    tiny = Path(__file__).parent / "tiny_bot"
    config = (tiny / "config.yml").read_text().replace(f"{section}:\n", f"{section}:\n  - name: {component}\n")
    (tmp_path / "config.yml").write_text(config)
    monkeypatch.chdir(tmp_path)  # Rasa keeps a cache where it runs

    with pytest.raises(GraphSchemaValidationException, match=f"{component}.*tensorflow"):
        rasa.model_training.train(
            str(tiny / "domain.yml"),
            str(tmp_path / "config.yml"),
            [str(tiny / "nlu.yml"), str(tiny / "rules.yml")],
            output=str(tmp_path),
        )


def test_a_stand_in_that_is_used_says_so() -> None:
    """Calling into a library that is not here raises an error that names it and where to read more."""
    import tensorflow

    with pytest.raises(stubs.NotInstalledError, match=r"TensorFlow.*0001"):
        tensorflow.constant(1)


@pytest.mark.parametrize("library", ["twilio.rest", "asyncpg", "sqlalchemy", "aiohttp"])
def test_what_is_installed_is_never_replaced(library: str) -> None:
    """Our own code gets the real library in the same process."""
    importlib.import_module(library)

    assert not stubs.is_stub(library)


def test_what_nobody_knows_is_still_missing() -> None:
    """The stand-ins answer for a short list only."""
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("a_library_that_does_not_exist")


def test_a_process_without_rasa_is_left_alone() -> None:
    """Neither the start of Python nor our package changes a process that does not import Rasa."""
    program = "import sys, bot.rasa_compat; print([type(f).__name__ for f in sys.meta_path], 'numpy' in sys.modules)"

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert "StubFinder" not in printed
    assert "False" in printed


def test_rasa_validates_the_data_and_plays_the_stories(started: subprocess.Popen[str], tiny_bot) -> None:  # type: ignore[no-untyped-def]
    """`rasa data validate` finds the tiny bot sound, and `rasa test` finds it right and writes its report."""
    printed, _ = started.communicate(timeout=120)

    assert started.returncode == 0, printed
    assert "No story structure conflicts found" in printed
    assert "Accuracy:         1.000" in printed
    assert (tiny_bot.folder / "results").is_dir()
