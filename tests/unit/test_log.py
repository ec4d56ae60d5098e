"""Structured logs."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import structlog

from inference_service.log import configure_logging


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Restore the logging configuration after the test."""
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    yield
    structlog.configure(**config)
    root.handlers[:] = handlers
    root.setLevel(level)


def read_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_is_json_with_what_is_bound(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        structlog.get_logger().info("done", wall_s=1.5)
    (line,) = read_lines(capsys)
    assert (line["event"], line["request_id"], line["wall_s"]) == ("done", "abc", 1.5)
    assert line["level"] == "info"
    assert str(line["timestamp"]).endswith("Z")


def test_tracebacks_hold_no_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()

    def fail(token: str) -> None:
        raise ValueError("broken")

    try:
        fail("hush")
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = read_lines(capsys)
    assert "broken" in json.dumps(line["exception"])
    assert "hush" not in json.dumps(line)


def test_the_level_is_heeded_and_libraries_share_the_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("warning")
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    logging.getLogger("library").info("quiet")
    logging.getLogger("library").warning("loud %s", "too")
    assert [line["event"] for line in read_lines(capsys)] == ["loud", "loud too"]


def test_a_line_that_cannot_be_written_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115 - closing it fails
    monkeypatch.setattr(sys, "stderr", full)
    configure_logging()
    structlog.get_logger().error("lost")
    with suppress(OSError):  # what is buffered cannot be written either
        full.close()
