"""Limits on music that is read from files, far beyond any piece that fits on pages."""

from __future__ import annotations

from typing import Final

MAX_NOTES: Final = 12_000
"""Of a performance: an hour of piano music, which takes a minute to write and fills 150 pages."""

MAX_PARTS: Final = 64
MAX_DURATION_S: Final = 3 * 3600.0
