"""Renders pieces and stores their features, a file for each piece, float16.

Each piece is written as soon as it is rendered, so that training may start on the first of them; a
piece's number is its seed. Development pieces come from songs and scores that training never uses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.random import Generator

from inference_service.audio.waveform import Waveform
from inference_service.harmony.chordino import ChordinoEstimator
from inference_service.progress import ignore
from inference_service.rhythm.from_sound.features import FRAMES_PER_S, compute_features
from model_zoo.training.beats import leadsheets
from model_zoo.training.beats.arrange import arrange
from model_zoo.training.beats.mix import render
from model_zoo.training.beats.timing import lines_of, perform
from model_zoo.training.sound.damage import degrade
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.sources.catalogue import list_folder
from model_zoo.training.sources.groove import Groove, alone, read_grooves
from model_zoo.training.sources.openewld import read_chords
from model_zoo.training.sources.piece import Piece, change_tempo, cut
from model_zoo.training.sources.pop909 import count_songs, read_song
from model_zoo.training.sources.scores import parse_score, read_archive
from model_zoo.training.sources.splits import HELD_BACK, assign, assign_song
from model_zoo.training.sources.survey import sift

LENGTH_S: Final = (45.0, 75.0)
SONG_BPM: Final = 105.0
SONG_BPM_SPREAD: Final = 0.3
"""Mean and standard deviation, in natural logarithms, of songs' tempi; POP909's own are mostly
ballads."""

TEMPO_FACTOR: Final = (0.7, 1.75)
SHARES: Final = {
    "songs": 0.50,
    "lieder": 0.10,
    "leadsheets": 0.28,
    "quartets": 0.02,
    "grooves": 0.10,
}
TUNING_REMAINDER: Final = 21
EXTRA_REMAINDER: Final = 6
DEV_SHARE: Final = 20
"""One score in twenty is for development; songs are assigned by :func:`.splits.assign_song`."""


@dataclass(frozen=True, slots=True)
class Corpora:
    """The music to render from."""

    songs: Path
    song_numbers: list[int]
    scores: dict[str, list[tuple[str, bytes]]]
    grooves: list[Groove]
    others: list[Piece] = field(default_factory=list)


def load_corpora(symbolic: Path, *, dev: bool, folders: Sequence[Path] = ()) -> Corpora:
    """Read the songs and scores of the training or the development part from the archives.

    From other ``folders``, see :func:`.catalogue.list_folder`, come the pieces that pass the
    filters.

    Raises
    ------
    FileNotFoundError
        If the folder lacks an archive.
    """
    songs = symbolic / "pop909.zip"
    numbers = [
        number
        for number in range(1, count_songs(songs) + 1)
        if assign_song(number) == ("dev" if dev else "train")
    ]
    files = {
        "lieder": "openscore_lieder.zip",
        "leadsheets": "openewld.zip",
        "quartets": "openscore_quartets.zip",
        "hymns": "open_hymnal.zip",
    }
    scores = {
        kind: [
            score
            for index, score in enumerate(read_archive(symbolic / file))
            if (index % DEV_SHARE == 0) == dev
        ]
        for kind, file in files.items()
    }
    others = [
        piece
        for folder in folders
        for piece in sift(list_folder(folder))
        if assign(piece.origin) == ("dev" if dev else "train")
    ]
    return Corpora(songs, numbers, scores, list(read_grooves(symbolic / "groove_midi.zip")), others)


def holds(number: int, *, dev: bool) -> bool:
    """Return whether POP909's song ``number`` is in this part of the data.

    The development part is larger than that of other trainings, because the weights of the readings
    are fitted on it: it also has every tenth song, and those that ``tests/bench/pop909.py``
    reserves for tuning.
    """
    if number in HELD_BACK:
        return False
    is_dev = number % 40 == TUNING_REMAINDER or number % 10 == EXTRA_REMAINDER
    if dev:
        return is_dev or assign_song(number) == "dev"
    return not is_dev and assign_song(number) == "train"


def draw_piece(corpora: Corpora, random: Generator) -> Piece:
    """Draw a piece: half a minute to a minute of a song, a score or a drummer.

    Raises
    ------
    ValueError
        If the piece drawn cannot be used, for example because of its metre: draw again.
    """
    kind = str(random.choice(list(SHARES), p=list(SHARES.values())))
    if kind == "grooves":
        piece = alone(corpora.grooves[int(random.integers(len(corpora.grooves)))])
        piece = change_tempo(piece, float(random.uniform(0.85, 1.15)))
    else:
        piece = play_from(corpora, kind, random)
    end_s = max(line.notes[:, 1].max() for line in piece.lines if len(line.notes))
    length_s = float(random.uniform(*LENGTH_S))
    start_s = float(random.uniform(0.0, max(end_s - length_s, 0.0)))
    start_s = 0.0 if random.random() < 0.25 else start_s
    return cut(piece, start_s, min(start_s + length_s, end_s))


def play_from(corpora: Corpora, kind: str, random: Generator) -> Piece:
    """Return a whole piece: a song at a random tempo, or a score performed.

    Raises
    ------
    ValueError
        If its metre is irregular.
    """
    if kind == "songs":
        song = read_song(corpora.songs, int(random.choice(corpora.song_numbers)))
        bpm = 60.0 / float(np.median(np.diff(song.beats_s)))
        wanted_bpm = float(np.exp(random.normal(np.log(SONG_BPM), SONG_BPM_SPREAD)))
        return change_tempo(song, float(np.clip(wanted_bpm / bpm, *TEMPO_FACTOR)))
    name, text = corpora.scores[kind][int(random.integers(len(corpora.scores[kind])))]
    score = parse_score(name, text)
    if kind == "leadsheets":
        lines = leadsheets.accompany(score, read_chords(text, score), random)
    else:
        lines = lines_of(score, random)
    return perform(score, lines, random)


def render_piece(
    corpora: Corpora,
    random: Generator,
    target: Path,
    chord_estimator: ChordinoEstimator | None = None,
) -> float:
    """Draw and render a piece, and store its features; return its length in seconds.

    With a ``chord_estimator``, the times of the changes of chord that it hears are stored too.

    Raises
    ------
    ValueError
        If the piece drawn cannot be used.
    """
    piece = draw_piece(corpora, random)
    if len(piece.beats_s) < 8:
        raise ValueError("too short")
    arrangement = arrange(piece, corpora.grooves, random)
    samples, piece = render(arrangement, random), arrangement.piece
    if random.random() < 0.75:
        samples = degrade(samples, random)
    waveform = Waveform(samples[None], RATE_HZ)
    features = compute_features(waveform)
    chords = chord_estimator.estimate(waveform, ignore) if chord_estimator else []
    partial = target.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(
            file,
            features=features.astype(np.float16),
            beats_s=piece.beats_s.astype(np.float32),
            positions=piece.positions.astype(np.int8),
            bar_beats=piece.bar_beats,
            compound=piece.compound,
            name=piece.name,
            chord_s=np.array([chord.start_s for chord in chords[1:]], np.float32),
        )
    partial.rename(target)
    return len(features.T) / FRAMES_PER_S


def prepare(
    symbolic: Path, cache: Path, *, hours: float, dev: bool, say: Callable[[str], None]
) -> None:
    """Render until this part of the cache holds ``hours`` of sound."""
    folder = cache / ("dev" if dev else "train")
    folder.mkdir(parents=True, exist_ok=True)
    corpora = load_corpora(symbolic, dev=dev)
    numbers = range(1, count_songs(corpora.songs) + 1)
    corpora = replace(corpora, song_numbers=[n for n in numbers if holds(n, dev=dev)])
    # The weights of changes of chord are fitted on the development part alone.
    chord_estimator = ChordinoEstimator() if dev else None
    seed = 1_000_000 if dev else 0
    done_s, began = 0.0, time.monotonic()
    number = 0
    while done_s < hours * 3600:
        target = folder / f"{number:06d}.npz"
        number += 1
        if target.exists():
            with np.load(target) as kept:
                done_s += kept["features"].shape[1] / FRAMES_PER_S
            continue
        try:
            done_s += render_piece(
                corpora, np.random.default_rng(seed + number), target, chord_estimator
            )
        except ValueError:
            continue
        if number % 50 == 0:
            say(f"{number} drawn, {done_s / 3600:.2f} h, {time.monotonic() - began:.0f} s")
