"""Settings from the environment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.settings import BotSettings, split_address

TOKEN = "123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
SETTINGS_PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def _from(monkeypatch: pytest.MonkeyPatch, **environment: str) -> BotSettings:
    for name, value in environment.items():
        monkeypatch.setenv(f"BOT_{name}", value)
    return BotSettings(_env_file=None)


@pytest.mark.parametrize("text", ["12,34", "12 34", "[12, 34]", " 12 ,34,"])
def test_admin_ids(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert _from(monkeypatch, ADMIN_IDS=text).admin_ids == {12, 34}


def test_empty_means_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _from(monkeypatch, TOKEN="", ADMIN_IDS="[]", SERVICE_TOKEN="")
    assert settings.token is None
    assert settings.admin_ids == frozenset()


def test_the_download_limit_is_telegrams_unless_the_server_is_local(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert _from(monkeypatch).download_limit_bytes == 20_000_000
    local = _from(monkeypatch, API_SERVER="http://api:8081", API_IS_LOCAL="1")
    assert local.download_limit_bytes == 200_000_000


@pytest.mark.parametrize(
    "environment",
    [
        {"TOKEN": TOKEN, "WEBHOOK_URL": "https://x.org/hook"},
        {"TOKEN": TOKEN, "WEBHOOK_URL": "https://x.org/hook", "WEBHOOK_SECRET": "not allowed!"},
        {"WEBHOOK_URL": "https://x.org/hook", "WEBHOOK_SECRET": "s"},
        {"TOKEN": TOKEN, "WEBHOOK_URL": "https://x.org/hook", "WEBHOOK_SECRET": "s"},
        {"WEBHOOK_LISTEN": "8080"},
        {"WEBHOOK_LISTEN": "0.0.0.0:65536"},
        {"LOCALCHAT_LISTEN": "127.0.0.1:65536"},
        {"LOCALCHAT_LISTEN": "0.0.0.0:8080"},
        {"LOCALCHAT_LISTEN": "[::]:8080"},
        {"SERVICE_ADDRESS": "127.0.0.1:65536"},
        {"SERVICE_TOKEN": "x"},
        {"ADMIN_SERVICE_TOKEN": "of two words"},
        {"LOCALCHAT_LISTEN": "localhost:http"},
        {"ADMIN_IDS": "me"},
        {"PER_USER_JOBS": "0"},
        {"LOG_LEVEL": "LOUD"},
        {"SHARED_STATE_URL": "valkey://host:6379/0"},
        {
            "SHARED_STATE_URL": "host:6379",
            "TOKEN": TOKEN,
            "WEBHOOK_URL": "https://x.org/hook",
            "WEBHOOK_SECRET": "long-enough",
        },
    ],
)
def test_wrong_settings(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as caught:
        _from(monkeypatch, **environment)
    assert TOKEN not in str(caught.value)


def test_the_chat_page_is_public_only_on_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="BOT_LOCALCHAT_PUBLIC"):
        _from(monkeypatch, LOCALCHAT_LISTEN="192.168.1.2:8080")
    assert _from(monkeypatch, LOCALCHAT_PUBLIC="1").localchat_public
    assert _from(monkeypatch, LOCALCHAT_PUBLIC="", TOKEN=TOKEN).token  # serves no page


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.8.0.1:1", "localhost:1", "[::1]:1"])
def test_this_machine_is_not_public(monkeypatch: pytest.MonkeyPatch, listen: str) -> None:
    assert _from(monkeypatch, LOCALCHAT_LISTEN=listen).localchat_listen == listen


def test_addresses() -> None:
    assert split_address("0.0.0.0:8080") == ("0.0.0.0", 8080)
    assert split_address("[::1]:0") == ("::1", 0)


def _rows() -> Iterator[str]:
    for name, field in BotSettings.model_fields.items():
        default = "none" if field.default in (None, frozenset()) else f"`{field.default}`"
        yield f"| `BOT_{name.upper()}` | {default} | {field.description} |"


@pytest.mark.parametrize("row", list(_rows()))
def test_every_setting_is_documented(row: str) -> None:
    assert row in SETTINGS_PAGE.read_text(encoding="utf-8").splitlines()


def test_no_setting_is_documented_that_is_not() -> None:
    documented = set(re.findall(r"`(BOT_[A-Z_]+)`", SETTINGS_PAGE.read_text(encoding="utf-8")))
    assert documented == {f"BOT_{name.upper()}" for name in BotSettings.model_fields}
