"""What the tests deploy: it answers, fails, waits and dies."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from inference_service.errors import AudioTooLong


class Probe:
    """An object whose methods show what a call can meet.

    Parameters
    ----------
    notes : Path
        A file to which a letter is written for each thing that happens.
    """

    def __init__(self, notes: Path) -> None:
        self._notes = notes

    def double(self, samples: np.ndarray[Any, Any], report: Callable[[float], None]) -> Any:
        """Return twice the samples, and report on the way."""
        report(0.5)
        report(1.0)
        return samples * 2

    def fail(self) -> None:
        """Raise one of our errors."""
        raise AudioTooLong("too long", limit_s=900)

    def blunder(self) -> None:
        """Raise an error that is none of ours."""
        self._note("b")
        raise ValueError("a mistake")

    def wait(self, report: Callable[[float], None]) -> None:
        """Report until that raises."""
        self._note("w")
        try:
            while True:
                report(0.0)
                time.sleep(0.01)
        finally:
            self._note("s")

    def die(self, times: int) -> str:
        """End this process, unless that has happened so many times; return what was noted."""
        if self._notes.read_text().count("d") < times:
            self._note("d")
            os._exit(1)
        return self._notes.read_text()

    def _note(self, letter: str) -> None:
        with self._notes.open("a") as file:
            file.write(letter)
