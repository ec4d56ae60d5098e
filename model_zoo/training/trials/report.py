"""Stored figures, from which an interrupted trial resumes; tables and plots."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Figures = dict[str, float]

COLOURS: Final = 64


class Ledger:
    """Figures by name in a JSON file, which several trials may write to in turn.

    Parameters
    ----------
    path : pathlib.Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, name: str, compute: Callable[[], Figures]) -> Figures:
        """Return the figures stored under a name, or else compute and store them."""
        if name not in self._read():
            figures = compute()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial = self._path.with_suffix(f".{os.getpid()}")
            partial.write_text(json.dumps(self._read() | {name: figures}, indent=1))
            partial.rename(self._path)
        return self._read()[name]

    def _read(self) -> dict[str, Figures]:
        kept: dict[str, Figures] = json.loads(self._path.read_text()) if self._path.exists() else {}
        return kept


def digest(path: Path) -> str:
    """Return the first digits of a file's SHA-256, which identify weights."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


def to_markdown(header: Sequence[str], rows: Sequence[Sequence[str | float]]) -> str:
    """Return a table; numbers with three decimals."""
    lines = [list(header), ["---"] * len(header)]
    lines += [[f"{v:.3f}" if isinstance(v, float) else str(v) for v in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def save_figure(figure: Figure, path: Path, dpi: int) -> None:
    """Write a plot as a PNG file with few colours, which keeps it small."""
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=dpi, format="png")
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(path, optimize=True)
