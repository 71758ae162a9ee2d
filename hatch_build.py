"""Puts `afterword_rasa.pth` into site-packages, so that the plain `rasa` commands work (ADR 0001)."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RasaCommands(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the file to editable installs too, which carry nothing else of the source tree."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before each build."""
        source = Path(self.root, "bot", "rasa_compat", "afterword_rasa.pth")
        key = "force_include_editable" if version == "editable" else "force_include"
        build_data[key][str(source)] = source.name
