"""What the attacks did, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_HEADER: Final = (
    "attack", "tried", "survived", "MB before", "MB after", "lost", "duplicated", "longest wait",
)  # fmt: skip


@dataclass
class Row:
    """The outcome of an attack.

    Attributes
    ----------
    attack : str
    tried, survived : int
        Number of hostile acts, and of those after which everything was as it should be: a result or
        a documented error within its time.
    before_mb, after_mb : float
        Resident memory of the attacked program and its processes, warmed up before.
    lost, duplicated : int
        Number of requests of honest people without an answer, and with more than one.
    longest_wait_s : float
        Of an honest person meanwhile, from a request to its result; 0 if there was none.
    """

    attack: str
    tried: int = 0
    survived: int = 0
    before_mb: float = 0.0
    after_mb: float = 0.0
    lost: int = 0
    duplicated: int = 0
    longest_wait_s: float = 0.0

    def note(self, *, survived: bool) -> None:
        """Count a hostile act."""
        self.tried += 1
        self.survived += survived

    @property
    def grown_mb(self) -> float:
        """Growth of memory."""
        return self.after_mb - self.before_mb

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells of the table's row."""
        return (
            self.attack,
            str(self.tried),
            str(self.survived),
            f"{self.before_mb:.0f}",
            f"{self.after_mb:.0f}",
            str(self.lost),
            str(self.duplicated),
            f"{self.longest_wait_s:.2f} s" if self.longest_wait_s else "",
        )


def format_rows(rows: Sequence[Row]) -> str:
    """Return a Markdown table that is also readable as plain text."""
    cells = [_HEADER, *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADER))]

    def join(line: Sequence[str]) -> str:
        return (
            f"| {line[0].ljust(widths[0])} | "
            + " | ".join(
                text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True)
            )
            + " |"
        )

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([join(_HEADER), rule, *(join(row.cells) for row in rows)])
