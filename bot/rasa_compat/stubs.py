"""Stand-ins for libraries that Rasa imports everywhere and this project never uses.

Rasa 3.6 imports TensorFlow and the SDKs of every channel and broker it knows, used or not. The finder below answers
those imports with inert modules: their names can be subclassed, put into annotations and used as decorators, which is
all that happens while Rasa is being imported. Doing anything else with them raises `NotInstalledError`.

The finder stands last on `sys.meta_path`, so a library that *is* installed always wins, and it knows only the names in
`UNUSED`: every other missing import fails as it should.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NoReturn

UNUSED: dict[str, str] = {
    "tensorflow": "TensorFlow (DIETClassifier, TEDPolicy, UnexpecTEDIntentPolicy, ResponseSelector)",
    "tensorflow_hub": "TensorFlow Hub (ConveRTFeaturizer)",
    "tensorflow_text": "TensorFlow Text (ConveRTFeaturizer)",
    "tensorflow_addons": "TensorFlow Addons",
    "keras": "Keras (DIETClassifier, TEDPolicy)",
    "sklearn_crfsuite": "sklearn-crfsuite (CRFEntityExtractor)",
    "boto3": "boto3 (DynamoTrackerStore, model storage on S3)",
    "botocore": "botocore (DynamoTrackerStore, model storage on S3)",
    "pymongo": "pymongo (MongoTrackerStore)",
    "aio_pika": "aio-pika (PikaEventBroker)",
    "aiormq": "aiormq (PikaEventBroker)",
    "slack_sdk": "slack-sdk (Rasa's Slack channel)",
    "webexteamssdk": "webexteamssdk (Rasa's Webex channel)",
    "rocketchat_API": "rocketchat-API (Rasa's Rocket.Chat channel)",
    "mattermostwrapper": "mattermostwrapper (Rasa's Mattermost channel)",
    "fbmessenger": "fbmessenger (Rasa's Facebook channel)",
    "aiogram": "aiogram (Rasa's Telegram channel)",
    "cachecontrol": "CacheControl (Rasa's Hangouts channel)",
    "google.auth": "google-auth (Rasa's Hangouts channel)",
    "google.oauth2": "google-auth (Rasa's Hangouts channel)",
}


class NotInstalledError(ImportError):
    """Something used a library that this project runs Rasa without."""


def library_of(module: str) -> str | None:
    """The entry of `UNUSED` that covers a module name, or None."""
    parts = module.split(".")
    return next((name for end in (1, 2) if (name := ".".join(parts[:end])) in UNUSED), None)


def is_stub(module: str) -> bool:
    """Whether the module is imported and is one of our stand-ins."""
    return isinstance(sys.modules.get(module), StubModule)


def _refuse(path: str) -> NoReturn:
    library = UNUSED.get(library_of(path) or "", path)
    raise NotInstalledError(
        f"'{path}' was used, but Afterword runs Rasa without {library}. Choose another component in config.yml or "
        "credentials.yml; see docs/adr/0001-rasa-without-tensorflow.md."
    )


class _InertType(type):
    """The type of every stand-in: attributes are more stand-ins, and calls work only as decorators do."""

    __path_of_stub__: str

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return inert(f"{cls.__path_of_stub__}.{name}")

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if args and (isinstance(args[0], type) or hasattr(args[0], "__code__")):
            return args[0]
        if not args and cls.__path_of_stub__.split(".")[-1] in DECORATOR_FACTORIES:
            return cls
        return _refuse(cls.__path_of_stub__)

    def __getitem__(cls, item: Any) -> Any:
        return cls

    def __or__(cls, other: Any) -> Any:
        return cls

    __ror__ = __or__

    def __iter__(cls) -> NoReturn:
        _refuse(cls.__path_of_stub__)

    def __bool__(cls) -> bool:
        return True


DECORATOR_FACTORIES = frozenset({"function", "register_keras_serializable"})


def inert(path: str) -> type:
    """A class that stands for the dotted name and does nothing."""
    return _InertType(path.rpartition(".")[2], (), {"__path_of_stub__": path, "__module__": path.rpartition(".")[0]})


class StubModule(ModuleType):
    """A module whose every public name is an inert class."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        value = _exception(self.__name__, name) or inert(f"{self.__name__}.{name}")
        setattr(self, name, value)
        return value


def _exception(module: str, name: str) -> type[Exception] | None:
    """An exception class for names that `except` clauses mention."""
    if name.endswith(("Error", "Exception", "Failure")):
        return type(name, (Exception,), {"__module__": module})
    return None


class StubFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers imports of the libraries in `UNUSED` that nobody else could answer."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A spec for a stand-in, or None when the name is not ours."""
        if library_of(fullname) is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """An empty stand-in."""
        return StubModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""


def install() -> None:
    """Put the finder last, once."""
    if not any(isinstance(finder, StubFinder) for finder in sys.meta_path):
        sys.meta_path.append(StubFinder())
