"""Small melodies with bars, and archives of them."""

from __future__ import annotations

import zipfile
from pathlib import Path

from model_zoo.training.rhythm.barred import BarredMelody, bar_melody
from model_zoo.training.sources.melodies import ARCHIVES, find_melody
from model_zoo.training.sources.scores import WrittenPiece, parse_score
from tests.unit.model_zoo.training.rhythm.pieces import write_melody, write_waltz

TUNE = "EEFGGFEDCCDEEDDC" * 6


def bar(piece: WrittenPiece) -> BarredMelody | None:
    """Return the melody of a piece with its bars."""
    melody = find_melody(piece)
    return bar_melody(piece, melody) if melody else None


def read_waltz() -> WrittenPiece:
    """Return a waltz with a pickup."""
    return parse_score("waltz", write_waltz())


def build_melodies() -> list[BarredMelody]:
    """Return a waltz, and a tune in 4/4."""
    found = [bar(piece) for piece in (read_waltz(), parse_score("tune", write_melody(TUNE)))]
    return [melody for melody in found if melody is not None]


def write_archives(folder: Path) -> None:
    """Write archives of songs, sixteen waltzes in each."""
    for archive in ARCHIVES:
        with zipfile.ZipFile(folder / f"{archive}.zip", "w") as files:
            for number in range(16):
                files.writestr(f"{archive}/{number}.musicxml", write_waltz())
