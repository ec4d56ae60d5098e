"""What was made last is not made again."""

from __future__ import annotations

from typing import Any

import pytest

from inference_service.notation.engrave import engrave
from inference_service.pipeline import render as module
from inference_service.pipeline.options import Format, RenderOptions
from inference_service.pipeline.remembered import Remembered
from inference_service.pipeline.render import render
from tests.factories import perform


def test_the_least_recently_used_are_forgotten() -> None:
    remembered: Remembered[list[str]] = Remembered(limit=2)
    made: list[str] = []

    def get(shown: str) -> list[str]:
        def make() -> list[str]:
            made.append(shown)
            return [shown]

        return remembered.get(shown, make)

    for shown in ("a", "b", "a", "c", "a", "b"):
        assert get(shown) == [shown]
    assert made == ["a", "b", "c", "b"]


def test_a_turned_page_is_only_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def count(*given: Any) -> list[str]:
        calls.append("engrave")
        return engrave(*given)

    monkeypatch.setattr(module, "engrave", count)
    monkeypatch.setattr(module, "_DRAWN", Remembered())
    long = perform({"vocals": [(k, 1.0, 60 + k % 5) for k in range(200)]})
    options = [RenderOptions(formats=frozenset({Format.PNG}), page=page) for page in (1, 2, 1)]
    pages = [render(long, one, lambda *_: None).artifacts[0] for one in options]
    assert calls == ["engrave"]
    assert pages[0] == pages[2] != pages[1]
    moved = RenderOptions(formats=frozenset({Format.PNG}), page=1, transpose_semitones=1)
    assert render(long, moved, lambda *_: None).artifacts[0] != pages[0]
    assert len(calls) == 2
