"""OpenEWLD: lead sheets of songs in the public domain, melodies with chord symbols.

Only the root and the kind of a chord symbol are read, not its bass or altered degrees. Keys are not
read, because the sheets state them all as major.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from inference_service.music.events import ChordSegment
from inference_service.music.pitch import pitch_class
from inference_service.notation.partwise import read_parts
from model_zoo.training.sources.harte import name_chord
from model_zoo.training.sources.piece import PUBLIC_DOMAIN, Origin, Piece
from model_zoo.training.sources.scores import (
    WrittenPiece,
    parse_score,
    play_deadpan,
    read_archive,
)
from model_zoo.training.sources.splits import name_work
from model_zoo.training.sources.survey import Entry

Chord = tuple[float, int, tuple[int, ...]]
"""Start in quarters, pitch class of the root, intervals above it in semitones."""


def list_openewld(archive: Path) -> Iterator[Entry]:
    """List the archive's lead sheets."""
    for name, text in read_archive(archive):
        yield Entry(name, partial(read_leadsheet, name, text))


def read_leadsheet(name: str, text: bytes) -> Piece:
    """Read a lead sheet: its melody, and its chords as labels.

    Raises
    ------
    ValueError
        If it has no notes.
    """
    score = parse_score(name, text)
    chords = read_chords(text, score)
    end_q = float((score.onset_q + score.duration_q).max())
    ends_q = [*(chord[0] for chord in chords[1:]), end_q]
    segments = [
        ChordSegment(start_q, stop_q, name_chord(root, intervals))
        for (start_q, root, intervals), stop_q in zip(chords, ends_q, strict=False)
        if stop_q > start_q
    ]
    title = PurePosixPath(name).stem.replace("_", " ")
    origin = Origin("openewld", name_work(title), PUBLIC_DOMAIN)
    return play_deadpan(score, origin, tuple(segments))


def read_chords(text: bytes, score: WrittenPiece) -> list[Chord]:
    """Read the chord symbols of a lead sheet's first part."""
    parts = read_parts(ElementTree.fromstring(text))
    return [
        (float(start_q) + float(chord.start_q), pitch_class(chord.root), _intervals(chord.kind))
        for part in parts[:1]
        for measure, start_q in zip(part.measures, score.bar_start_q, strict=False)
        for chord in measure.chords
        if chord.root
    ]


def _intervals(kind: str) -> tuple[int, ...]:
    third = 3 if kind.startswith(("minor", "diminished", "half")) else 4
    fifth = {"diminished": 6, "half-diminished": 6, "augmented": 8}.get(
        kind.split("-seventh")[0], 7
    )
    if kind.startswith("suspended"):
        third = 5
    if "sixth" in kind:
        return (0, third, fifth, 9)
    if "major-" in kind or kind == "major-minor":
        return (0, third, fifth, 11)
    if kind == "diminished-seventh":
        return (0, 3, 6, 9)
    if kind.startswith(("dominant", "half")) or "seventh" in kind or "ninth" in kind:
        return (0, third, fifth, 10)
    return (0, third, fifth)
