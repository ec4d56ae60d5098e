"""How many taps put metre and bar lines right, if a reader who knows the page taps.

    python -m tests.bench.taps sung      the clips of voice_pages
    python -m tests.bench.taps piano     the reported half of ASAP

A tap is one correction that the chat offers: an alternative reading of the result, another metre,
another value of the beat, or bar lines that come earlier or later by a beat or half of one. For
each piece, the best sequence of at most :data:`MOST_TAPS` taps is searched for, over the
:data:`BEAM` best states after each. A piece is right

- if it was sung: when the page has the right metre, and at least :data:`MOSTLY` of its notes are at
  their place in the bar, as :mod:`tests.bench.melody_page` judges;
- if it was played: when its time signature is that of most of the written notes, and the F1 of the
  downbeats is at least :data:`MOSTLY`.

Nothing is heard or estimated again: corrections are applied as the service applies them.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

from inference_service.assembly import build_stages
from inference_service.errors import InvalidCorrections
from inference_service.midi.reader import decode_performance
from inference_service.music.alternatives import number_beat
from inference_service.music.corrections import (
    BEAT_SCALES,
    FIRST_BEAT_STEPS,
    Corrections,
    Edit,
    round_first_beat,
    round_scale,
)
from inference_service.music.events import Transcription
from inference_service.music.metre import parse_time_signature
from inference_service.pipeline.correct import correct
from inference_service.pipeline.notate import read_performance
from inference_service.pipeline.options import Pitches, RhythmSource
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
SCALES: Final = (Fraction(2), Fraction(1, 2), Fraction(3), Fraction(1, 3))
WANTED: Final = {"sung": 0.90, "piano": 0.85}


@dataclass(frozen=True, slots=True, order=True)
class Verdict:
    """Whether a page is right, and if not, how nearly; the larger, the better."""

    is_right: bool
    nearness: float


Judge = Callable[[Transcription], Verdict]


def list_taps(heard: Transcription) -> Iterator[Corrections]:
    """Yield the states that one tap leads to from that of a transcription."""
    state = heard.corrections
    for other in heard.alternatives[1:]:
        yield Edit(
            Corrections(
                time_signature=other.time_signature,
                beat_scale=round_scale(other.beat_scale),
                first_beat=round_first_beat(other.first_beat),
            )
        ).apply(state)
    for metre in METRES:
        yield Edit(Corrections(time_signature=metre)).apply(state)
    scale = correct(heard).beat_scale
    for factor in SCALES:
        if scale * factor in BEAT_SCALES:
            yield Edit(Corrections(beat_scale=scale * factor)).apply(state)
    yield from _shift(heard)


def _shift(heard: Transcription) -> Iterator[Corrections]:
    """Yield the states in which bars begin a beat or half of one earlier or later."""
    beats = correct(heard).performance.beats
    first = next((index for index, beat in enumerate(beats) if beat.position == 1), None)
    if first is None or len(beats) < 2:
        return
    bar_beats = max(beat.position for beat in beats)
    neighbour = first + 1 if first + 1 < len(beats) else first - 1
    here, there = (
        number_beat(beats[index].time_s, [beat.time_s for beat in heard.beats], FIRST_BEAT_STEPS)
        for index in (first, neighbour)
    )
    for step in (1, Fraction(1, 2), Fraction(-1, 2), -1):
        number = here + step * abs(there - here)
        while number <= 0:  # the same bar lines, counted from a later bar
            number += bar_beats * abs(there - here)
        edit = Edit(Corrections(first_beat=round_first_beat(float(number))))
        yield edit.apply(heard.corrections)


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
            for state in list_taps(page):
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


def judge_sung(reference: ReferencePage) -> Judge:
    """Return the judge of the pages of a sung clip."""

    def judge_page(page: Transcription) -> Verdict:
        written = write_page(page, Pitches.MEANT)
        figures = judge(reference, written.page, written.performed)
        is_right = figures.metre == 1.0 and figures.barline >= MOSTLY
        return Verdict(is_right, figures.metre + figures.barline + figures.value)

    return judge_page


def judge_played(piece: asap.Piece) -> Judge:
    """Return the judge of the beats of a played piece."""
    onsets = piece.truth.notes.onsets
    signatures = Counter(map(tuple, piece.truth.time_at(onsets).tolist()))
    usual = signatures.most_common(1)[0][0]

    def judge_page(page: Transcription) -> Verdict:
        performance = correct(page).performance
        times_s = np.array([beat.time_s for beat in performance.beats])
        downbeats_s = np.array([b.time_s for b in performance.beats if b.position == 1])
        bars = beat_f1(piece.downbeats_s, downbeats_s) / 100
        beats = beat_f1(piece.beats_s, times_s) / 100
        signature = parse_time_signature(performance.time_signature)
        is_metre = (signature.beats, signature.unit) == usual
        return Verdict(is_metre and bars >= MOSTLY, is_metre + bars + beats)

    return judge_page


# The command


def iterate_sung(data: Path) -> Iterator[tuple[str, Transcription, Judge]]:
    """Yield the name, the result and the judge of each clip."""
    stages = build_stages(ModelSettings())
    for clip in list_clips(data):
        heard = transcribe_clip(clip.audio.read_bytes(), stages)
        yield clip.audio.stem, heard, judge_sung(clip.reference)


def iterate_played(data: Path) -> Iterator[tuple[str, Transcription, Judge]]:
    """Yield the name, the result and the judge of each piece of the reported half."""
    stages = build_stages(ModelSettings())
    archive = data / ARCHIVE
    for name in asap.list_pieces(archive, asap.REPORTED):
        piece = asap.load_piece(archive, name)
        heard = read_performance(
            decode_performance(piece.performance), RhythmSource.AUTO, stages.rhythm, stages.key
        )
        yield name, heard, judge_played(piece)


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
