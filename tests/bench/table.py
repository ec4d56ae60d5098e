"""Measured figures and their targets."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A figure; ``target`` is a lower bound, or an upper one if ``at_most``.

    ``measured`` is NaN where nothing could be measured.
    """

    what: str
    measured: float
    target: float | None = None
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether the target is met; true if there is none."""
        if self.target is None:
            return True
        return self.measured <= self.target if self.at_most else self.measured >= self.target

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The cells: what is measured, the figure, the target and the verdict."""
        measured = "-" if math.isnan(self.measured) else f"{self.measured:.3f}"
        if self.target is None:
            return self.what, measured, "", ""
        bound = f"{'<=' if self.at_most else '>='} {self.target:g}"
        return self.what, measured, bound, "met" if self.met else "MISSED"


def format_table(title: str, rows: Iterable[Row]) -> str:
    """Return a Markdown table that is also readable as plain text."""
    cells = [("", "measured", "target", ""), *(row.cells for row in rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(4)]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([f"## {title}", "", lines[0], rule, *lines[1:], ""])
