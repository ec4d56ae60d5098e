"""Takes the picture of the practice page for the README: ``python docs/images/make_practice.py``.

The real bot and service show the notes that the project's piano sample was made from, and a real
Chromium plays them. No model is run.
"""

from __future__ import annotations

import asyncio
import runpy
import sys
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import async_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from inference_service.music.events import Key, Transcription  # noqa: E402
from tests.e2e.chromium import find_or_install_chromium, launch  # noqa: E402
from tests.e2e.practice import serve_practice  # noqa: E402
from tests.factories import perform, place  # noqa: E402

TITLE = "Minuet in G"
BAR = 5
"""The bar that is played when the picture is taken."""


def build_minuet() -> Transcription:
    """Return both hands of the sample as they are written."""
    sample = runpy.run_path(str(ROOT / "docs" / "samples" / "make_samples.py"))

    def hand(melody: list[tuple[float, int]]) -> list[tuple[float, float, int]]:
        starts = accumulate((length for length, _ in melody), initial=0.0)
        return [
            (start, length, pitch) for start, (length, pitch) in zip(starts, melody, strict=False)
        ]

    notes = sorted(hand(sample["MINUET_RIGHT"]) + hand(sample["MINUET_LEFT"]))
    chords = [(0, 6, "G:maj"), (6, 9, "C:maj"), (9, 12, "G:maj"), (12, 15, "A:min")]
    chords += [(15, 18, "G:maj"), (18, 21, "D:7"), (21, 24, "D:maj")]
    minuet = place(
        perform(
            {"piano": notes},
            bpm=sample["MINUET_BPM"],
            time_signature="3/4",
            key=Key("G", "major"),
            chords=chords,
        )
    )
    return replace(minuet, preset="piano")


async def photograph(target: Path) -> None:
    """Open the page, play, and write the picture.

    Raises
    ------
    SystemExit
        If there is no Chromium.
    """
    chromium = find_or_install_chromium()
    if chromium is None:
        sys.exit("install Debian's package `chromium` first")
    with TemporaryDirectory() as folder:
        async with (
            serve_practice(Path(folder), build_minuet()) as practised,
            async_playwright() as playwright,
        ):
            browser = await launch(playwright, chromium)
            page = await browser.new_page(viewport={"width": 1400, "height": 620}, locale="en-GB")
            await page.goto(practised.address(TITLE))
            await page.locator("body[data-ready]").wait_for()
            await page.evaluate("practice.player.setPassage({ first: 4, last: 6 })")
            await page.get_by_role("button", name="Play").click()
            await page.locator(".place", has_text=f"Bar {BAR}").wait_for()
            await page.wait_for_timeout(900)
            await page.screenshot(path=target, animations="disabled")
            await browser.close()


if __name__ == "__main__":
    asyncio.run(photograph(Path(__file__).with_name("practice.png")))
