"""Fixtures for the tests of sound: speakers, if the synthesisers are installed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from model_zoo.training.sound.speech import Bank

SPEAKERS: Final = ("espeak-ng:f2:fi", "espeak-ng:m1:sv")


@pytest.fixture(scope="session")
def bank() -> Bank:
    """A small bank of a woman and a man; skips if a synthesiser is missing."""
    pytest.importorskip("pyworld", reason="pyworld comes with the extra 'training'")
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    from model_zoo.training.sound.speech import build_bank

    return build_bank(SPEAKERS)
