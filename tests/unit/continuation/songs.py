"""A small song to continue."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from inference_service.continuation.degrees import find_triad
from inference_service.music.events import Key
from inference_service.music.score import Score, ScoreChord, ScoreNote, ScorePart

LOOP = (("C", "I"), ("A:min", "vi"), ("F", "IV"), ("G", "V"))
MELODY = (
    ((0, 1, 72), (1, 0.5, 71), (1.5, 0.5, 69), (2, 2, 67)),
    ((0, 1, 69), (1, 0.5, 67), (1.5, 0.5, 69), (2, 2, 72)),
    ((0, 1, 69), (1, 0.5, 67), (1.5, 0.5, 65), (2, 2, 69)),
    ((0, 1, 71), (1, 2, 67)),
)


def _note(start: float, length: float, pitch: int, velocity: int = 80) -> ScoreNote:
    return ScoreNote(Fraction(start), Fraction(length), pitch, velocity)


def build_song(bars: int = 8, beats: int = 4) -> Score:
    """Return a song in C major: a melody, broken chords, a bass and drums."""
    melody, piano, bass, drums = [], [], [], []
    for bar in range(bars):
        at = bar * beats
        triad = [48 + pitch for pitch in find_triad(LOOP[bar % 4][1])]
        for start, length, pitch in MELODY[bar % 4]:
            if start < beats:
                melody.append(_note(at + start, min(length, beats - start), pitch, 90))
        for half in range(2 * beats):
            piano.append(_note(at + half / 2, 0.5, sorted(triad)[(0, 1, 2, 1)[half % 4]]))
        bass.append(_note(at, beats, triad[0] - 12))
        drums += [_note(at + beat, 1, (36, 38)[beat % 2]) for beat in range(beats)]
    return Score(
        "Song",
        100.0,
        f"{beats}/4" if beats in (2, 3, 4, 5) else f"{beats}/8",
        Key("C", "major"),
        (
            ScorePart("vocals", "Voice", tuple(melody), 52),
            ScorePart("piano", "Piano", tuple(piano), 0),
            ScorePart("bass", "Bass", tuple(bass), 33),
            ScorePart("drums", "Drums", tuple(drums), None, is_drum=True),
        ),
        tuple(ScoreChord(Fraction(bar * beats), LOOP[bar % 4][0]) for bar in range(bars)),
    )


def keep_parts(score: Score, *ids: str) -> Score:
    """Return a score with some of its parts, and no chords."""
    return replace(score, parts=tuple(p for p in score.parts if p.id in ids), chords=())


def sing(score: Score) -> tuple[ScoreNote, ...]:
    """Return the song's melody."""
    return next((part.notes for part in score.parts if part.id == "vocals"), ())
