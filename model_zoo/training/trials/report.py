"""Figures that are kept as they come, so that a trial that was stopped goes on; tables, digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Figures = dict[str, float]


class Ledger:
    """Figures by name, in a JSON file.

    Parameters
    ----------
    path : pathlib.Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def get(self, name: str, compute: Callable[[], Figures]) -> Figures:
        """Return what is kept under a name; computed, and kept, where nothing is."""
        if name not in self._kept:
            self._kept[name] = compute()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial = self._path.with_suffix(".partial")
            partial.write_text(json.dumps(self._kept, indent=1))
            partial.rename(self._path)
        figures: Figures = self._kept[name]
        return figures


def digest(path: Path) -> str:
    """Return the first figures of a file's SHA-256, to know weights by."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


def to_markdown(header: Sequence[str], rows: Sequence[Sequence[str | float]]) -> str:
    """Return a table; numbers with three decimals."""
    lines = [list(header), ["---"] * len(header)]
    lines += [[f"{v:.3f}" if isinstance(v, float) else str(v) for v in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
