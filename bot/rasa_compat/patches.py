"""The corrections, each for one module of Rasa 3.6.21 or of a library that moved on since.

Rasa 3.6.21 will not change any more, so names that begin with an underscore are as stable here as the others.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

from bot.rasa_compat import hot_spots, stubs
from bot.rasa_compat.after_import import Patch
from bot.rasa_compat.errors import ActionFailed, StoreNotFound

LOOPBACK = "127.0.0.1"


def packaging_version(module: ModuleType) -> None:
    """`packaging` 22 dropped LegacyVersion; Rasa only asks whether a version is one."""
    if not hasattr(module, "LegacyVersion"):
        vars(module)["LegacyVersion"] = type("LegacyVersion", (), {"__doc__": "No version is one any more."})


def numpy_module(module: Any) -> None:
    """numpy 2 keeps its warnings in `numpy.exceptions`."""
    module.VisibleDeprecationWarning = module.exceptions.VisibleDeprecationWarning


def sanic_app(module: Any) -> None:
    """Since sanic 22, `run` starts worker processes; Rasa's application cannot be pickled into one."""
    run = module.Sanic.run

    @functools.wraps(run)
    def run_in_this_process(self: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("workers", 1) == 1:
            kwargs.setdefault("single_process", True)
        return run(self, *args, **kwargs)

    module.Sanic.run = run_in_this_process


def sanic_response(module: Any) -> None:
    """`sanic.response.stream` became `ResponseStream`."""
    if not hasattr(module, "stream"):
        module.stream = module.ResponseStream


def loopback_interface(module: Any) -> None:
    """Rasa listens where only this machine reaches it, unless told otherwise."""
    module.DEFAULT_SERVER_INTERFACE = LOOPBACK


def unavailable_packages(module: Any) -> None:
    """A stand-in is not an installed package: Rasa's own check then names the component that needs it."""
    find = module.find_unavailable_packages

    def find_unavailable_packages(package_names: list[str]) -> set[str]:
        return set(find(package_names)) | {name for name in package_names if stubs.is_stub(name)}

    module.find_unavailable_packages = find_unavailable_packages


def needs_tensorflow(class_name: str) -> Patch:
    """Make the component say that it requires TensorFlow, which its class in Rasa forgets to."""

    def patch(module: ModuleType) -> None:
        getattr(module, class_name).required_packages = staticmethod(lambda: ["tensorflow"])

    return patch


class _WatchedAction:
    """An action that remembers how it failed, because Rasa logs the exception and goes on."""

    def __init__(self, action: Any, rejection: type[BaseException]) -> None:
        self._action = action
        self._rejection = rejection
        self.failure: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._action, name)

    async def run(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await self._action.run(*args, **kwargs)
        except Exception as error:
            if not isinstance(error, self._rejection):
                self.failure = error
            raise


def failing_actions(module: Any) -> None:
    """A failed action fails the turn, before the tracker is saved, so that the turn can be tried again."""
    run_action: Callable[..., Awaitable[bool]] = module.MessageProcessor._run_action
    rejection = module.rasa.core.actions.action.ActionExecutionRejection

    @functools.wraps(run_action)
    async def _run_action(self: Any, action: Any, *args: Any, **kwargs: Any) -> bool:
        watched = _WatchedAction(action, rejection)
        carry_on = await run_action(self, watched, *args, **kwargs)
        if watched.failure is not None:
            raise ActionFailed(f"The action '{action.name()}' failed: {watched.failure}") from watched.failure
        return carry_on

    module.MessageProcessor._run_action = _run_action


def loud_tracker_store(module: Any) -> None:
    """A tracker store that cannot be imported is an error, not a reason to keep conversations in memory."""
    load = module._load_from_module_name_in_endpoint_config

    def load_or_fail(domain: Any, store: Any, event_broker: Any = None) -> Any:
        try:
            module.rasa.shared.utils.common.class_from_module_path(store.type)
        except (AttributeError, ImportError) as error:
            raise StoreNotFound(f"endpoints.yml names the tracker store '{store.type}': {error}") from error
        return load(domain, store, event_broker)

    module._load_from_module_name_in_endpoint_config = load_or_fail


def unwrapped_tracker_store(module: Any) -> None:
    """Rasa wraps every tracker store so that its errors continue in memory; ours shall be heard."""
    create = module.Agent._create_tracker_store

    def _create_tracker_store(store: Any, domain: Any) -> Any:
        if not getattr(store, "errors_are_final", False):
            return create(store, domain)
        store.domain = domain
        return store

    module.Agent._create_tracker_store = staticmethod(_create_tracker_store)


PATCHES: dict[str, Patch] = {
    "packaging.version": packaging_version,
    "numpy": numpy_module,
    "sanic.app": sanic_app,
    "sanic.response": sanic_response,
    "rasa.core.constants": loopback_interface,
    "rasa.utils.common": unavailable_packages,
    "rasa.nlu.classifiers.diet_classifier": needs_tensorflow("DIETClassifier"),
    "rasa.core.policies.ted_policy": needs_tensorflow("TEDPolicy"),
    "rasa.shared.core.events": hot_spots.event_types,
    "rasa.core.actions.action": hot_spots.action_results,
    "rasa.core.policies.rule_policy": hot_spots.rule_policy,
    "rasa.engine.runner.dask": hot_spots.graph_runner,
    "rasa.utils.endpoints": hot_spots.action_endpoint,
    "rasa.core.processor": failing_actions,
    "rasa.core.tracker_store": loud_tracker_store,
    "rasa.core.agent": unwrapped_tracker_store,
}
