"""How many taps put metre and bar lines right, if a reader who knows the page taps.

    python -m tests.bench.taps sung      the clips of voice_pages
    python -m tests.bench.taps piano     the reported half of ASAP

A tap is one correction that the chat offers: one of the first other readings, another metre,
another value of the beat, or bar lines that come earlier or later by a beat or an eighth, all of
them or those from one bar on. For each piece, the best sequence of at most :data:`MOST_TAPS` taps
is searched for, over the :data:`BEAM` best states after each. Of the bars of a long piece, only
those are tried from which moved lines agree with the page best, if nothing but the lines moved. A
piece is right

- if it was sung: when the page has the right metre, and at least :data:`MOSTLY` of its notes are at
  their place in the bar, as :mod:`tests.bench.melody_page` judges;
- if it was played: when its time signature is that of most of the written notes, and the F1 of the
  downbeats is at least :data:`MOSTLY`.

Nothing is heard or estimated again: corrections are applied as the service applies them.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise, product
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from inference_service.assembly import build_stages
from inference_service.errors import InvalidCorrections
from inference_service.midi.reader import decode_performance
from inference_service.music.adjustments import Adjustments, BarShift, BarUnit, LocalShift
from inference_service.music.corrections import Corrections, Edit
from inference_service.music.events import NoteEvent, Part, Transcription
from inference_service.music.metre import align, parse_time_signature
from inference_service.pipeline.correct import correct
from inference_service.pipeline.notate import read_performance
from inference_service.pipeline.options import Pitches, RenderOptions, RhythmSource
from inference_service.pipeline.relative import make_absolute
from inference_service.pipeline.render import describe
from inference_service.pipeline.written import write_corrected
from inference_service.settings import ModelSettings
from tests.bench import asap
from tests.bench.melody_page import ReferencePage, judge
from tests.bench.notation import ARCHIVE, beat_f1
from tests.bench.simulated_singers import MOSTLY
from tests.bench.sung_pages import list_clips, transcribe_clip, write_page
from tests.conftest import DATA

MOST_TAPS: Final = 3
BEAM: Final = 3
METRES: Final = ("2/4", "3/4", "4/4", "6/8", "2/2", "3/8", "9/8", "12/8")
SCALES: Final = (2.0, 0.5, 3.0, 1 / 3)
SHIFTS: Final = tuple(
    BarShift(count, unit) for unit in (BarUnit.BEAT, BarUnit.EIGHTH) for count in (1, -1)
)
MOST_READINGS: Final = 3
"""Other readings that have a button."""

MOST_BARS: Final = 12
"""Moves from a bar on that are tried of a page whose judge can foresee them."""
WANTED: Final = {"sung": 0.90, "piano": 0.85}


@dataclass(frozen=True, slots=True, order=True)
class Verdict:
    """Whether a page is right, and if not, how nearly; the larger, the better."""

    is_right: bool
    nearness: float


class Judge(Protocol):
    """Judges pages."""

    def __call__(self, page: Transcription) -> Verdict:
        """Return whether a page is right."""

    def foresee(self, downbeats_s: Sequence[float]) -> float | None:
        """Return how right the downbeats of a page would be; None if that is not enough to tell."""


def list_taps(heard: Transcription, judge_page: Judge) -> Iterator[Corrections]:
    """Yield the states that one tap leads to from that of a transcription."""
    state = heard.corrections
    shown = describe(heard, RenderOptions()).shown
    readings = {
        (offer.time_signature, offer.rescale, offer.bar_shift, offer.key): offer.corrections
        for offer in reversed(shown.offers)
    }
    for corrections in list(reversed(readings.values()))[:MOST_READINGS]:
        yield Edit(corrections).apply(state)
    for metre in METRES:
        yield Edit(Corrections(time_signature=metre)).apply(state)
    for factor in SCALES:
        yield from _adjust(heard, Adjustments(rescale=factor))
    for shift in SHIFTS:
        yield from _adjust(heard, Adjustments(bar_shift=shift))
    yield from _shift_from_bars(heard, judge_page)


def _adjust(heard: Transcription, adjustments: Adjustments) -> Iterator[Corrections]:
    """Yield the state that adjustments of a page lead to, if they fit it."""
    with suppress(InvalidCorrections):
        wanted = RenderOptions(adjustments=adjustments)
        yield make_absolute(heard, wanted).amend(heard).corrections


def _shift_from_bars(heard: Transcription, judge_page: Judge) -> Iterator[Corrections]:
    """Yield the states in which bars from one on begin earlier or later."""
    corrected = correct(heard)
    written = write_corrected(corrected, Pitches.MEANT, "")
    lines_s = written.bar_lines_s[:-1]
    grid = align(corrected.performance).grid
    foreseen: list[tuple[float, LocalShift]] = []
    for bar, shift in product(range(2, len(lines_s) + 1), SHIFTS):
        step = shift.count * shift.unit.in_quarters(written.score.signature)
        beats = float(step / written.score.signature.beat_quarters)
        later_s = [grid.to_seconds(grid.to_beats(line_s) + beats) for line_s in lines_s[bar - 1 :]]
        found = judge_page.foresee([*lines_s[: bar - 1], *later_s])
        foreseen.append((0.0 if found is None else found, LocalShift(bar, shift)))
    if foreseen and judge_page.foresee(lines_s) is not None:
        foreseen = sorted(foreseen, key=lambda tap: -tap[0])[:MOST_BARS]
    for _, local in foreseen:
        yield from _adjust(heard, Adjustments(local_shifts=(local,)))


def count_taps(heard: Transcription, judge_page: Judge) -> int | None:
    """Return how many taps put a page right; None if :data:`MOST_TAPS` do not."""
    tried = {heard.corrections}
    verdict = judge_page(heard)
    if verdict.is_right:
        return 0
    beam = [heard]
    for taps in range(1, MOST_TAPS + 1):
        found: list[tuple[float, int, Transcription]] = []
        for page in beam:
            for state in list_taps(page, judge_page):
                if state in tried:
                    continue
                tried.add(state)
                changed = replace(heard, corrections=state)
                try:
                    verdict = judge_page(changed)
                except InvalidCorrections:
                    continue
                if verdict.is_right:
                    return taps
                found.append((verdict.nearness, -len(tried), changed))
        beam = [page for _, _, page in sorted(found, key=lambda f: f[:2], reverse=True)[:BEAM]]
    return None


# Judges


@dataclass(frozen=True, slots=True)
class SungJudge:
    """Judges the pages of a sung clip."""

    reference: ReferencePage

    def __call__(self, page: Transcription) -> Verdict:
        """Compare the written page with the printed one."""
        written = write_page(page, Pitches.MEANT)
        figures = judge(self.reference, written.page, written.performed)
        is_right = figures.metre == 1.0 and figures.barline >= MOSTLY
        return Verdict(is_right, figures.metre + figures.barline + figures.value)

    def foresee(self, downbeats_s: Sequence[float]) -> float | None:
        """Foresee nothing: the printed page has no times."""
        return None


class PlayedJudge:
    """Judges the beats of a played piece.

    Beats depend on where notes are, but not on how they are written. So corrections are applied to
    a sketch of the piece, with one note for each attack.
    """

    def __init__(self, piece: asap.Piece, heard: Transcription) -> None:
        self._sketch = sketch(heard)
        onsets = piece.truth.notes.onsets
        signatures = Counter(map(tuple, piece.truth.time_at(onsets).tolist()))
        self._usual = signatures.most_common(1)[0][0]
        self._piece = piece

    def __call__(self, page: Transcription) -> Verdict:
        """Compare the beats with those of the score."""
        performance = correct(replace(self._sketch, corrections=page.corrections)).performance
        times_s = np.array([beat.time_s for beat in performance.beats])
        downbeats_s = [b.time_s for b in performance.beats if b.position == 1]
        bars = self.foresee(downbeats_s)
        beats = beat_f1(self._piece.beats_s, times_s) / 100
        signature = parse_time_signature(performance.time_signature)
        is_metre = (signature.beats, signature.unit) == self._usual
        return Verdict(is_metre and bars >= MOSTLY, is_metre + bars + beats)

    def foresee(self, downbeats_s: Sequence[float]) -> float:
        """Return the F1 of the downbeats."""
        return beat_f1(self._piece.downbeats_s, np.array(downbeats_s)) / 100


def sketch(heard: Transcription) -> Transcription:
    """Return a transcription with a note for each attack, up to the next, without placements."""
    grid = align(heard).grid
    placed = [placement for part in heard.placements for placement in part]
    if not placed:
        return heard
    starts = sorted({placement.start_beats for placement in placed})
    stop = max(placement.start_beats + placement.duration_beats for placement in placed)
    places_s = [grid.to_seconds(float(place)) for place in (*starts, max(stop, starts[-1] + 1))]
    notes = [NoteEvent(onset_s, offset_s, 60) for onset_s, offset_s in pairwise(places_s)]
    if len(placed) > len(starts):  # it stays music with several notes at a time
        notes.insert(0, replace(notes[0], pitch=48))
    return replace(heard, parts=(Part("piano", "Piano", tuple(notes)),), placements=())


# The command


def iterate_sung(data: Path) -> Iterator[tuple[str, Transcription, Judge]]:
    """Yield the name, the result and the judge of each clip."""
    stages = build_stages(ModelSettings())
    for clip in list_clips(data):
        heard = transcribe_clip(clip.audio.read_bytes(), stages)
        yield clip.audio.stem, heard, SungJudge(clip.reference)


def iterate_played(data: Path) -> Iterator[tuple[str, Transcription, Judge]]:
    """Yield the name, the result and the judge of each piece of the reported half."""
    stages = build_stages(ModelSettings())
    archive = data / ARCHIVE
    for name in asap.list_pieces(archive, asap.REPORTED):
        piece = asap.load_piece(archive, name)
        heard = read_performance(
            decode_performance(piece.performance), RhythmSource.AUTO, stages.rhythm, stages.key
        )
        yield name, heard, PlayedJudge(piece, heard)


def print_table(counts: Sequence[int | None], wanted: float) -> None:
    """Print the share of pieces that are right after each number of taps."""
    print("| taps | right |\n|---|---|")
    for taps in range(MOST_TAPS + 1):
        share = np.mean([count is not None and count <= taps for count in counts])
        goal = f" (wanted: {wanted:.2f})" if taps == MOST_TAPS else ""
        print(f"| {taps} | {share:.2f}{goal} |")


def main(arguments: Sequence[str] | None = None) -> None:
    """Count the taps for every piece, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.taps",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("music", choices=sorted(WANTED))
    options = parser.parse_args(arguments)
    if DATA is None:
        raise SystemExit("NOTABOT_DATA names no folder")
    pieces = iterate_sung(DATA) if options.music == "sung" else iterate_played(DATA)
    counts = []
    for name, heard, judge_page in pieces:
        counts.append(count_taps(heard, judge_page))
        print(f"{name}: {counts[-1] if counts[-1] is not None else 'not right'}", flush=True)
    print_table(counts, WANTED[options.music])


if __name__ == "__main__":
    main()
