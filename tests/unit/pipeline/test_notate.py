"""The choice between a file's own beats and beats estimated from its notes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest

from inference_service.audio.waveform import Waveform
from inference_service.music.events import (
    Beat,
    ChordSegment,
    Key,
    KeyEstimate,
    NoteEvent,
    Part,
    Rhythm,
    Transcription,
)
from inference_service.music.placement import NotePlacement
from inference_service.pipeline.notate import follows_beats, read_performance
from inference_service.pipeline.options import RhythmSource
from tests.factories import perform

WALTZ = Rhythm(tuple(Beat(0.7 * k, k % 3 + 1) for k in range(13)), 60 / 0.7, "3/4")


class FixedReader:
    """Returns a fixed rhythm, and places each note on the first beat."""

    def __init__(self, rhythm: Rhythm | None = WALTZ) -> None:
        self._rhythm = rhythm
        self.asked: list[Sequence[NoteEvent]] = []

    def estimate(
        self, notes: Sequence[NoteEvent], key: Key, chords: Sequence[ChordSegment] = ()
    ) -> Rhythm | None:
        """Return the rhythm and record the notes."""
        self.asked.append(notes)
        return self._rhythm

    def place(self, transcription: Transcription) -> Transcription:
        """Place each note as a quarter."""
        place = NotePlacement(Fraction(0), Fraction(1))
        placements = tuple((place,) * len(part.notes) for part in transcription.parts)
        return replace(transcription, placements=placements)


class FixedKey:
    """Always returns G minor."""

    def estimate(
        self,
        notes: Sequence[NoteEvent],
        chords: Sequence[ChordSegment],
        waveform: Waveform | None = None,
    ) -> list[KeyEstimate]:
        """Return G minor."""
        return [KeyEstimate(Key("G", "minor"), 1.0)]


def read(
    performance: Transcription,
    source: RhythmSource = RhythmSource.AUTO,
    reader: FixedReader | None = None,
) -> Transcription:
    return read_performance(performance, source, reader or FixedReader(), FixedKey())


def sequenced() -> Transcription:
    """Return eighths and triplets on the beats of the file, in D major."""
    eighths = [(k / 2, 0.5, 60 + k) for k in range(16)]
    triplets = [(8 + k / 3, 1 / 3, 60 + k) for k in range(12)]
    return perform({"piano": eighths + triplets}, key=Key("D", "major"))


def improvised(seed: int = 0) -> Transcription:
    """Return notes that do not follow the default beats of a recording program."""
    generator = random.Random(seed)
    onsets_s = sorted(generator.uniform(0.0, 20.0) for _ in range(60))
    notes = tuple(NoteEvent(t, t + 0.3, 60 + k % 12) for k, t in enumerate(onsets_s))
    frame = perform({"piano": [(k, 1, 60) for k in range(40)]})
    return replace(frame, parts=(Part("piano", "Piano", notes, 0),))


def test_notes_on_the_files_beats_keep_them() -> None:
    performance = sequenced()
    result = read(performance)
    assert result.beats == performance.beats
    assert result.time_signature == "4/4"
    assert result.key == Key("D", "major")


def test_a_free_performance_gets_the_beats_of_its_notes() -> None:
    result = read(improvised())
    assert (result.beats, result.tempo_bpm, result.time_signature) == (
        WALTZ.beats,
        WALTZ.tempo_bpm,
        "3/4",
    )
    assert result.key == Key("G", "minor")


def test_the_caller_may_decide() -> None:
    on_grid, free = sequenced(), improvised()
    assert read(on_grid, RhythmSource.NOTES).beats == WALTZ.beats
    assert read(free, RhythmSource.FILE).beats == free.beats


@pytest.mark.parametrize("source", list(RhythmSource))
def test_notes_are_placed_whosever_beats_they_are(source: RhythmSource) -> None:
    performance = sequenced()
    (placed,) = read(performance, source).placements
    assert len(placed) == len(performance.parts[0].notes)


def test_a_file_without_bars_gets_some() -> None:
    assert read(replace(sequenced(), time_signature="1/4")).time_signature == "3/4"


def test_what_tells_no_rhythm_keeps_the_files() -> None:
    performance = improvised()
    result = read(performance, RhythmSource.NOTES, FixedReader(None))
    assert result.beats == performance.beats
    assert result.key == performance.key


def test_drums_are_not_read() -> None:
    reader = FixedReader()
    free = improvised()
    drums = Part("drums", "Drums", (NoteEvent(0.1, 0.2, 36),), is_drum=True)
    read(replace(free, parts=(*free.parts, drums)), RhythmSource.NOTES, reader)
    assert reader.asked == [sorted(free.parts[0].notes)]


@pytest.mark.parametrize("source", list(RhythmSource))
def test_nothing_played(source: RhythmSource) -> None:
    empty = perform({"piano": []})
    assert read(empty, source, FixedReader(None)).parts == empty.parts


@pytest.mark.parametrize(("jitter_s", "follows"), [(0.0, True), (0.004, True), (0.1, False)])
def test_a_humanised_file_still_follows_its_beats(jitter_s: float, follows: bool) -> None:
    notes = [(k / 2, 0.5, 60 + k % 24) for k in range(64)]
    assert follows_beats(perform({"piano": notes}, jitter_s=jitter_s)) is follows


def test_chance_is_not_taken_for_a_grid() -> None:
    assert not any(follows_beats(improvised(seed)) for seed in range(10))


def test_silence_follows_any_beats() -> None:
    assert follows_beats(perform({"piano": []}))
