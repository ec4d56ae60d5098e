"""Seconds from a correction to the corrected page, for a melody over chords of 320 notes.

Nothing is heard again: the corrections are applied, and the first page is written and drawn.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Final

from inference_service.music.corrections import (
    BarRange,
    Corrections,
    Edit,
    Feel,
    FinestValue,
    PartCorrection,
)
from inference_service.music.edits import (
    DeleteNote,
    ScoreEdit,
    SetChord,
    SetDuration,
    SetPitch,
    Spelling,
    SplitNote,
)
from inference_service.music.events import Key, Transcription
from inference_service.pipeline.options import Format, RenderOptions
from inference_service.pipeline.render import render
from inference_service.progress import Stage
from tests.bench.table import Row
from tests.factories import perform, place

TITLE = "Corrections: seconds to the corrected page, 320 notes"
TARGET_S: Final = 1.0
BARS: Final = 32
_TUNE: Final = ((0, 1, 67), (1, 1, 69), (2, 0.5, 71), (2.5, 0.5, 72), (3, 0.5, 74), (3.5, 0.5, 72))
_CHORDS: Final = ((0, 2, 43), (0, 2, 62), (2, 2, 48), (2, 2, 64))


def _list_edits(count: int) -> Iterator[ScoreEdit]:
    """Yield edits of the voice and of chord symbols; the last one changes a pitch."""
    notes = len(_TUNE) * BARS
    for number in range(1, count + 1):
        note = f"vocals:{7 * number % notes}"
        match number % 5:
            case 0:
                yield SetPitch(note, 60 + number % 12, Spelling.RAISED)
            case 1:
                yield SetDuration(note, Fraction(1, 2))
            case 2:
                yield SplitNote(note)
            case 3:
                yield DeleteNote(f"{note}/1")
            case _:
                yield SetChord(float(number % 64), label=("A:min7", "D:7", "E:min")[number % 3])


CORRECTIONS: Final = {
    "metre": Corrections(time_signature="3/4"),
    "halved values": Corrections(beat_scale=Fraction(1, 2)),
    "bar lines": Corrections(first_beat=Fraction(3, 2)),
    "key": Corrections(key=Key("Bb", "minor")),
    "finest value": Corrections(finest_value=FinestValue.EIGHTH),
    "swing": Corrections(feel=Feel.SWING),
    "instrument": Corrections(parts=(PartCorrection("piano", name="Harp", program=46),)),
    "bars": Corrections(bars=BarRange(1, 8)),
    "the 500th edit": Corrections(edits=tuple(_list_edits(500))),
}


def run(data: Path, cache: Path) -> Iterator[Row]:
    """Measure every correction."""
    yield from _measure(TARGET_S, CORRECTIONS)


def smoke() -> Iterator[Row]:
    """Measure the first and the last correction; no target, since machines differ."""
    yield from _measure(None, ["metre", "the 500th edit"])


def _measure(target_s: float | None, names: Iterable[str]) -> Iterator[Row]:
    heard = _play()
    _write(heard, Corrections())
    for name in names:
        start_s = time.perf_counter()
        _write(heard, CORRECTIONS[name])
        yield Row(name, time.perf_counter() - start_s, target_s, at_most=True)


def _play() -> Transcription:
    parts = {
        name: [(4 * bar + start, length, p) for bar in range(BARS) for start, length, p in notes]
        for name, notes in {"vocals": _TUNE, "piano": _CHORDS}.items()
    }
    return place(perform(parts, key=Key("G", "major")))


def _write(heard: Transcription, corrections: Corrections) -> None:
    kept = Corrections(edits=corrections.edits[:-1])
    wanted = RenderOptions(formats=frozenset({Format.PNG}), page=1, edit=Edit(corrections))
    render(replace(heard, corrections=kept), wanted, _ignore)


def _ignore(stage: Stage, fraction: float) -> None:
    """Report progress to nobody."""
