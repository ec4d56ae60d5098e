"""Draws curves as SVG, without a plotting library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

WIDTH: Final = 420
HEIGHT: Final = 260
MARGIN: Final = 42
COLOURS: Final = ("#0b6e4f", "#3366cc", "#b5651d", "#7b2d8b", "#cc3333", "#777777")


def draw_curves(panels: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> str:
    """Return an SVG picture: a panel for each problem, and a mean curve for each method.

    Parameters
    ----------
    panels : mapping of title to mapping of method to array, shape (songs, seeds, generations)
    """
    parts = [_draw_panel(title, curves, index) for index, (title, curves) in
             enumerate(panels.items())]  # fmt: skip
    width = WIDTH * len(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" '
        f'viewBox="0 0 {width} {HEIGHT}" font-family="sans-serif" font-size="11">'
        f'<rect width="{width}" height="{HEIGHT}" fill="white"/>{"".join(parts)}</svg>\n'
    )


def _draw_panel(title: str, curves: Mapping[str, NDArray[np.float64]], index: int) -> str:
    means = {way: found.mean(axis=(0, 1)) for way, found in curves.items()}
    low = min(float(mean.min()) for mean in means.values())
    high = max(float(mean.max()) for mean in means.values())
    left, right = MARGIN, WIDTH - 96
    top, bottom = 28, HEIGHT - 36

    def y(value: float) -> float:
        return bottom - (value - low) / max(high - low, 1e-9) * (bottom - top)

    drawn = [f'<text x="{left}" y="16" font-weight="bold">{title}: best fitness</text>']
    for value in np.linspace(low, high, 4):
        drawn.append(
            f'<path d="M{left} {y(value):.1f}H{right}" stroke="#ddd"/>'
            f'<text x="{left - 4}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.2f}</text>'
        )
    labels = _spread({way: y(float(mean[-1])) for way, mean in means.items()})
    for (way, mean), colour in zip(means.items(), COLOURS, strict=False):
        steps = np.linspace(left, right, len(mean))
        points = " ".join(f"{x:.1f},{y(float(v)):.1f}" for x, v in zip(steps, mean, strict=True))
        drawn.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>'
            f'<text x="{right + 5}" y="{labels[way] + 4:.1f}" fill="{colour}">{way}</text>'
        )
    drawn.append(
        f'<text x="{(left + right) / 2}" y="{HEIGHT - 12}" text-anchor="middle">generations</text>'
    )
    return f'<g transform="translate({WIDTH * index} 0)">{"".join(drawn)}</g>'


def _spread(places: Mapping[str, float], apart: float = 12.0) -> dict[str, float]:
    """Move labels down where they would overlap."""
    spread: dict[str, float] = {}
    last = -apart
    for way, place in sorted(places.items(), key=lambda item: item[1]):
        last = spread[way] = max(place, last + apart)
    return spread
