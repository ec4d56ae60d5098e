"""Settings from the environment, and their page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from inference_service.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def load(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(f"NOTABOT_{name}", value)
    return Settings(_env_file=None)


def table_rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from table_rows(kind, f"{prefix}{name.upper()}_")
        else:
            default = "none" if field.default in (None, "") else f"`{field.default}`"
            yield f"| `{prefix}{name.upper()}` | {default} | {field.description} |"


@pytest.mark.parametrize("row", list(table_rows(Settings, "NOTABOT_")))
def test_every_setting_is_documented(row: str) -> None:
    assert row in PAGE.read_text(encoding="utf-8").splitlines()


def test_names_have_group_and_field(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        monkeypatch,
        SERVER_LISTEN="0.0.0.0:1",
        SERVER_TOKEN="for-callers",
        ENGINE_QUEUE_SIZE="3",
        MODELS_USE="song=basic-pitch, piano = basic-pitch",
        LOG_LEVEL="debug",
    )
    assert settings.server.listen == "0.0.0.0:1"
    assert settings.engine.queue_size == 3
    assert settings.models.overrides == {"song": "basic-pitch", "piano": "basic-pitch"}
    assert settings.log_level == "debug"


def test_an_empty_variable_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, SERVER_TOKEN="", SERVER_LISTEN="")
    assert settings.server.token is None
    assert settings.server.listen == "127.0.0.1:50051"


def test_the_device_follows_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch).models.device_name == "cpu"
    assert load(monkeypatch, MODELS_PROFILE="gpu").models.device_name == "cuda"


def test_batches_follow_the_device_unless_they_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch).models.batch_size == 1
    assert load(monkeypatch, MODELS_BATCH="2").models.batch_size == 2
    assert load(monkeypatch, MODELS_BATCH="0", MODELS_DEVICE="cuda:1").models.batch_size == 4
    assert load(monkeypatch, MODELS_DEVICE="cuda:1").models.device_name == "cuda:1"


def test_folders_begin_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch).cache.directory == Path.home() / ".cache/notabot/results"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENGINE_QUEUE_SIZE", "0"),
        ("SERVER_TLS_CERT", "cert.pem"),
        ("MODELS_USE", "song"),
        ("MODELS_PROFILE", "tpu"),
        ("SERVER_NO_SUCH", "1"),
        ("LOG_LEVEL", "loud"),
        ("CACHE_URL", "bucket"),
        ("CACHE_URL", "s3://key:secret@bucket"),
        ("SERVER_LISTEN", "localhost"),
        ("SERVER_LISTEN", "127.0.0.1:65536"),
        ("SERVER_METRICS_LISTEN", "127.0.0.1:65536"),
        ("SERVER_METRICS_LISTEN", "no"),
        ("SERVER_TOKEN", "x"),
        ("SERVER_TOKEN", "of two words"),
        ("SERVER_ADMIN_TOKEN", "x"),
    ],
)
def test_wrong_settings_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(ValidationError):
        load(monkeypatch, **{name: value})


def test_a_wrong_setting_is_reported_without_the_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError) as raised:
        load(monkeypatch, SERVER_TOKEN="hush-hush", SERVER_TLS_CERT="cert.pem")
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize("listen", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.org:1"])
def test_a_public_address_needs_a_token_or_a_word(
    monkeypatch: pytest.MonkeyPatch, listen: str
) -> None:
    with pytest.raises(ValidationError, match="NOTABOT_SERVER_TOKEN"):
        load(monkeypatch, SERVER_LISTEN=listen)
    with pytest.raises(ValidationError, match="NOTABOT_SERVER_TOKEN"):
        load(monkeypatch, SERVER_ADMIN_TOKEN="for-administrators")
    load(monkeypatch, SERVER_PUBLIC_WITHOUT_TOKEN="true")
    load(monkeypatch, SERVER_PUBLIC_WITHOUT_TOKEN="", SERVER_TOKEN="for-callers")


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "127.0.0.2:1", "localhost:1", "[::1]:1"])
def test_this_machine_needs_no_token(monkeypatch: pytest.MonkeyPatch, listen: str) -> None:
    assert load(monkeypatch, SERVER_LISTEN=listen).server.is_local
