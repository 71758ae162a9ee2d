"""Our bot on stock Rasa: the same domain, rules and English examples, trained with the pipeline `rasa init` writes.

What stock Rasa cannot do is left out: our detector and classifier (the default DIET and TED stand in their place). Its
actions run in rasa-sdk's own server, once a turn over HTTP, and write one row to SQLite, as a plain project's would;
the tracker store is Rasa's own on SQLite, the channel Rasa's own REST channel.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import yaml

from benchmarks import stock
from tests.e2e.house import ROOT, free_port

BOT = stock.HOME / "twin"
_STORIES = ("test_answers.yml", "test_people.yml")
_LONGEST_TRAINING = 1800
_ENDPOINTS = """
action_endpoint:
  url: ${TWIN_ACTIONS_URL}
  enable_selective_domain: true
tracker_store:
  type: SQL
  dialect: sqlite
  db: tracker.sqlite
"""
_ACTIONS = """
import sqlite3

from rasa_sdk import Action
from rasa_sdk.events import SlotSet

database = sqlite3.connect("answers.sqlite", check_same_thread=False)
database.execute("PRAGMA journal_mode=WAL")
database.execute("CREATE TABLE IF NOT EXISTS answers (sender TEXT, text TEXT, intent TEXT)")
UNHAPPY = ("complaint", "lukewarm")


class Assess(Action):
    def name(self):
        return "action_assess"

    async def run(self, dispatcher, tracker, domain):
        message = tracker.latest_message
        intent = message["intent"]["name"]
        with database:
            database.execute("INSERT INTO answers VALUES (?, ?, ?)", (tracker.sender_id, message["text"], intent))
        step = "recover" if intent in UNHAPPY else "close_warmly"
        slots = {"next_step": step, "failure": "other", "language": "en", "hand_offered": False}
        return [SlotSet(name, value) for name, value in slots.items()]


class Apologise(Action):
    def name(self):
        return "action_apologise"

    async def run(self, dispatcher, tracker, domain):
        dispatcher.utter_message(response="utter_apologise_other")
        return []


class HandOff(Action):
    def name(self):
        return "action_hand_off"

    async def run(self, dispatcher, tracker, domain):
        with database:
            database.execute("INSERT INTO answers VALUES (?, ?, ?)", (tracker.sender_id, "handed off", ""))
        dispatcher.utter_message(response="utter_bot_challenge")
        return []
"""


@asynccontextmanager
async def twin() -> AsyncIterator[stock.Say]:
    """The twin, answering; made and trained on first use (some minutes)."""
    _trained(stock.installed())
    port = free_port()
    os.environ["TWIN_ACTIONS_URL"] = f"http://127.0.0.1:{port}/webhook"
    for left in BOT.glob("*.sqlite*"):
        left.unlink()
    with stock.process(BOT, "run", "actions", "--port", str(port)) as actions:
        async with aiohttp.ClientSession() as session:
            await stock.until_answering(session, f"http://127.0.0.1:{port}/health", actions)
        async with stock.serving(BOT) as say:
            yield say


def _trained(rasa: str) -> None:
    if list(BOT.glob("models/*.tar.gz")):
        return
    print("… training our bot on stock Rasa: English examples, the default pipeline", flush=True)
    shutil.rmtree(BOT, ignore_errors=True)
    (BOT / "data").mkdir(parents=True)
    shutil.copy(ROOT / "domain.yml", BOT / "domain.yml")
    shutil.copytree(ROOT / "data" / "rules", BOT / "data" / "rules")
    shutil.copy(ROOT / "data" / "nlu" / "en.yml", BOT / "data" / "nlu.yml")
    [config] = (stock.HOME / "venv").glob("lib/python3*/site-packages/rasa/cli/initial_project/config.yml")
    shutil.copy(config, BOT / "config.yml")
    (BOT / "data" / "stories.yml").write_text(yaml.safe_dump(_stories(), allow_unicode=True), encoding="utf-8")
    (BOT / "endpoints.yml").write_text(_ENDPOINTS, encoding="utf-8")
    (BOT / "credentials.yml").write_text("rest:\n", encoding="utf-8")
    (BOT / "actions.py").write_text(_ACTIONS, encoding="utf-8")
    with (stock.HOME / "twin-training.log").open("wb") as log:
        command = [rasa, "train", "--config", "config.yml", "--domain", "domain.yml", "--data", "data"]
        subprocess.run(
            command, cwd=BOT, env=stock.environment(), check=True, stdout=log, stderr=log, timeout=_LONGEST_TRAINING
        )


def _stories() -> dict[str, object]:
    """Our test stories as training stories, for TED to learn from: without the words, which only tests look at."""
    stories = []
    for name in _STORIES:
        content = yaml.safe_load((ROOT / "tests" / "stories" / name).read_text(encoding="utf-8"))
        for number, story in enumerate(content["stories"]):
            steps = [{key: value for key, value in step.items() if key != "user"} for step in story["steps"]]
            stories.append({"story": f"{name} {number}", "steps": steps})
    return {"version": "3.1", "stories": stories}
