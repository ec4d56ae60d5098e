"""The pages for operators name settings, limits, codes, log events and metrics that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from bot.errors import BotErrorCode
from bot.settings import BotSettings
from inference_service.errors import ERRORS
from inference_service.settings import Settings
from tests.conftest import ROOT

SECURITY, OPERATIONS = (
    (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("security.md", "operations.md")
)
PATH = r"`((?:bot|inference_service|model_zoo|deploy)/[\w/.-]+)`"


def _settings(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _settings(kind, f"{prefix}{name.upper()}_")
        else:
            yield prefix + name.upper()


def _limits() -> Iterator[tuple[str, str]]:
    """Each constant that a line or table row names before its file, and the file."""
    text = (SECURITY + OPERATIONS).replace("\n", " \n")
    for match in re.finditer(r"((?:`_?[A-Z][A-Z_]+`(?:, | and )?)+) of (?:\n)?" + PATH, text):
        for name in re.findall(r"`(\w+)`", match[1]):
            yield name, match[2]


def _events() -> set[str]:
    """Return the events that the programs log."""
    # Not parsed: ast.parse fails now and then in Python 3.11 (python/cpython#106905).
    return {
        event
        for folder in ("bot", "inference_service")
        for path in (ROOT / folder).rglob("*.py")
        for event in re.findall(
            r"\b(?:_log|logger)\.\w+\(\s*\"([^\"]+)\"", path.read_text(encoding="utf-8")
        )
    }


@pytest.mark.parametrize("page", [SECURITY, OPERATIONS], ids=["security", "operations"])
def test_settings_and_files_exist(page: str) -> None:
    known = {*_settings(Settings, "NOTABOT_"), *_settings(BotSettings, "BOT_")}
    named = set(re.findall(r"\b(?:NOTABOT|BOT)_[A-Z_]+", page)) - {
        code.value for code in BotErrorCode
    }
    assert named <= known
    assert [path for path in re.findall(PATH, page) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(("name", "path"), sorted(set(_limits())))
def test_limits_are_constants_of_their_files(name: str, path: str) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")
    assert re.search(rf"^{name}(: [\w\[\]., ]+)? = ", source, re.MULTILINE)


def test_every_limit_is_seen_by_the_test() -> None:
    names = set(re.findall(r"`(_?[A-Z][A-Z_]+)`", SECURITY))
    settings = {name for name in names if name.startswith(("NOTABOT_", "BOT_"))}
    assert names - settings - {"DEMUXERS", "DECODERS"} <= {name for name, _ in _limits()}


def test_codes_exist() -> None:
    rows = [line.split("|") for line in OPERATIONS.splitlines() if line.startswith("|")]
    named = {
        name
        for row in rows
        for name in re.findall(r"`([A-Z][A-Z_]+)`", "".join(row))
        if not name.startswith(("NOTABOT_", "BOT_"))
    }
    assert named - {"OK"} - {name for name, _ in _limits()} <= {
        *ERRORS,
        *(code.value for code in BotErrorCode),
    }
    assert len(named) > 10


def test_events_and_metrics_exist() -> None:
    tables = [line.split("|") for line in OPERATIONS.splitlines() if line.count("|") == 6]
    events = {
        event
        for row in tables
        for event in re.findall(r"`([a-z][a-z_ ]+)`", row[3])
        if event not in {"attempts"}
    }
    assert len(events) > 20
    assert events <= _events()
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "inference_service" / "server").glob("*.py")
    )
    metrics = {name.removesuffix("_total") for name in re.findall(r"\bnotabot_\w+", OPERATIONS)}
    assert {name for name in metrics if f'"{name}"' not in source} == set()
