"""Draws scenes: what is played, and by which instruments.

A scene is a pianist, a band, a chamber group, a soloist, a singer, a guitarist or a drummer, with
music from the corpora or invented. It fixes every note and every instrument, but no sound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from inference_service.music.events import ChordSegment, Key
from inference_service.music.programs import SINGERS
from model_zoo.training.beats.arrange import PROGRAMS, add_bass
from model_zoo.training.beats.drums import add_drums
from model_zoo.training.beats.prepare import Corpora, play_from
from model_zoo.training.beats.timing import humanise
from model_zoo.training.sources.groove import alone
from model_zoo.training.sources.piece import (
    OFFSET,
    ONSET,
    PITCH,
    VELOCITY,
    Line,
    Piece,
    change_tempo,
    cut,
)
from model_zoo.training.tagger.etude import compose_etude

Kind = Literal["piano", "band", "voice", "guitar", "drums", "chamber", "ensemble", "solo"]

SHARES: Final[dict[Kind, float]] = {
    "piano": 0.16,
    "band": 0.29,
    "voice": 0.05,
    "guitar": 0.10,
    "drums": 0.11,
    "chamber": 0.13,
    "ensemble": 0.16,
}
OTHERS_SHARE: Final = 0.3
"""Probability that a scene uses a piece of the additional folders, if there are any."""

LENGTH_S: Final = (25.0, 45.0)
PIANOS: Final = (0, 0, 0, 0, 1, 1, 2, 3)
GUITARS: Final = (24, 24, 25, 25, 25, 26, 27, 28, 29, 30)
SOLOISTS: Final = (40, 40, 41, 42, 56, 57, 60, 64, 65, 66, 68, 71, 73, 73, 74, 22, 11, 12, 80, 52)
ENSEMBLES: Final = (
    (40, 40, 41, 42),
    (73, 68, 71, 70),
    (71, 71, 71, 70),
    (64, 65, 66, 67),
    (56, 56, 60, 57),
    (56, 60, 57, 58),
    (52, 52, 53, 53),
    (40, 71, 66, 70),
    (74, 74, 74, 74),
    (68, 69, 60, 70),
    (73, 40, 41, 42),
    (71, 40, 41, 42),
    (48, 48, 48, 48),
    (56, 71, 66, 57),
)
"""Programs of groups of four, from the highest line to the lowest: strings, winds, clarinets,
saxophones, two brass groups, a choir, the instruments of Bach10, recorders, reeds and a horn, a
flute or a clarinet with strings, a string orchestra, and a small wind band."""

ENSEMBLE_FAMILIES: Final = (
    (40, 41, 42, 43, 48),
    (56, 57, 58, 60, 61),
    (64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74),
    (16, 19, 20, 21),
    (11, 12, 13),
    (24, 25, 26),
    (52, 53),
    (0, 4, 6),
    (80, 81, 88, 89),
)
"""Programs from which the players of other groups, and soloists, are drawn: first a family, then a
program."""

CHORD_PLAYERS: Final = (
    (46, 48, 49, 45),
    (61, 62),
    (16, 17, 18, 19, 19, 20, 21, 23),
    (8, 10, 11, 12, 14),
    (24, 25, 26, 27),
    (52, 53),
    (0, 1, 2, 4, 5, 6, 7),
    (50, 80, 81, 88, 89, 90, 94),
)
"""Programs, by family, that play all lines of a piece alone."""

CHORDS_SHARE: Final = 0.45
"""Of soloists: those who play chords."""

RANGES: Final[dict[int, tuple[int, int]]] = {
    40: (55, 96), 41: (48, 84), 42: (36, 76), 43: (28, 60), 56: (52, 84), 57: (40, 72),
    58: (28, 58), 60: (40, 77), 64: (56, 87), 65: (49, 80), 66: (44, 75), 67: (36, 69),
    68: (58, 91), 70: (34, 72), 71: (50, 91), 72: (74, 103), 73: (60, 96), 74: (60, 96),
}  # fmt: skip
"""Lowest and highest pitch, by program, of instruments with a narrow range."""

GUITAR_RANGE: Final = (40, 88)
BASS_RANGE: Final = (28, 60)
_ETUDE: Final = Piece("etude", (), np.zeros(0), np.zeros(0, np.int64), bar_beats=0)

Composer = Callable[[Corpora, float, Generator], tuple[Piece, "list[Track]"]]


@dataclass(frozen=True, slots=True)
class Track:
    """The notes of one instrument.

    Attributes
    ----------
    program : int
        General MIDI, 0-based; 0 for a drum kit.
    notes : np.ndarray, shape (N, 4), sorted by onset
    pedal : np.ndarray, shape (K, 2)
    is_drum : bool
    """

    program: int
    notes: NDArray[np.float64]
    pedal: NDArray[np.float64]
    is_drum: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that is played within ``length_s``.

    Attributes
    ----------
    name : str
        The piece's.
    kind : str
    tracks : tuple of Track
    length_s : float
    beats : np.ndarray, shape (B, 2)
        Time in seconds and position in the bar, 1 for the downbeat; empty if unknown.
    chords : tuple of ChordSegment
        Empty if unknown.
    key : Key or None
    """

    name: str
    kind: Kind
    tracks: tuple[Track, ...]
    length_s: float
    beats: NDArray[np.float64]
    chords: tuple[ChordSegment, ...] = ()
    key: Key | None = None


def draw_scene(
    corpora: Corpora,
    random: Generator,
    kind: Kind | None = None,
    shares: Mapping[Kind, float] = SHARES,
) -> Scene:
    """Draw a scene, of the kind given, or else of a kind drawn by ``shares``.

    Raises
    ------
    ValueError
        If the piece drawn cannot be used: draw again.
    """
    if kind is None and corpora.others and random.random() < OTHERS_SHARE:
        return _draw_other(corpora, random)
    kind = kind or list(shares)[int(random.choice(len(shares), p=list(shares.values())))]
    length_s = float(random.uniform(*LENGTH_S))
    piece, tracks = COMPOSERS[kind](corpora, length_s, random)
    tracks = [finish(track, random) for track in tracks if len(track.notes)]
    if not tracks:
        raise ValueError(f"{piece.name}: nothing to play")
    return build_scene(piece, kind, tracks, length_s)


def build_scene(piece: Piece, kind: Kind, tracks: list[Track], length_s: float) -> Scene:
    """Return a scene of a piece and its finished tracks."""
    beats = np.column_stack([piece.beats_s, piece.positions]).astype(float)
    return Scene(piece.name, kind, tuple(tracks), length_s, beats, piece.chords, piece.key)


def _draw_other(corpora: Corpora, random: Generator) -> Scene:
    """Draw an excerpt of a piece with instruments, performed if its timing is exact."""
    piece = corpora.others[int(random.integers(len(corpora.others)))]
    length_s = float(random.uniform(*LENGTH_S))
    piece = change_tempo(piece, float(random.uniform(0.85, 1.15)))
    piece = _excerpt(humanise(piece, random), length_s, random)
    lines = [replace(line, notes=join([line])) for line in piece.lines if len(line.notes)]
    tracks = [finish(_play_line(line, random), random) for line in lines]
    if not tracks:
        raise ValueError(f"{piece.name}: nothing within the excerpt")
    kind: Kind = "drums" if all(track.is_drum for track in tracks) else "band"
    return build_scene(piece, kind, tracks, length_s)


def _play_line(line: Line, random: Generator) -> Track:
    if line.role == "drums":
        return Track(0, line.notes, no_pedal(), is_drum=True)
    program = line.program if line.program is not None else int(random.choice(PROGRAMS[line.role]))
    if program in SINGERS:
        return Track(program, one_voice(line.notes), no_pedal())
    return Track(program, line.notes, line.pedal)


def _piano(corpora: Corpora, length_s: float, random: Generator) -> tuple[Piece, list[Track]]:
    program = int(random.choice(PIANOS))
    if random.random() < 0.3:
        notes = compose_etude(length_s, random)
        pedal = _invent_pedal(notes, length_s, random) if random.random() < 0.5 else no_pedal()
        return _ETUDE, [Track(program, notes, pedal)]
    shares = {"songs": 0.35, "lieder": 0.4, "leadsheets": 0.15, "quartets": 0.1}
    piece = draw_piece(corpora, length_s, random, shares)
    lines = list(piece.lines)
    if len(lines) > 1 and random.random() < 0.4:
        lines = lines[1:]  # the accompaniment alone
    notes = join(lines)
    pedals = [line.pedal for line in lines if len(line.pedal)]
    pedal = max(pedals, key=len) if pedals else no_pedal()
    if not len(pedal) and random.random() < 0.55:
        pedal = _invent_pedal(notes, length_s, random)
    return piece, [Track(program, notes, pedal)]


def _band(corpora: Corpora, length_s: float, random: Generator) -> tuple[Piece, list[Track]]:
    piece = draw_piece(corpora, length_s, random, {"songs": 0.6, "leadsheets": 0.4})
    lines = list(piece.lines)
    if random.random() < 0.12 and len(lines) > 1:
        lines = [line for line in lines if line.role != "melody"] or lines
    if not any(line.role == "bass" for line in lines) and random.random() < 0.7:
        bass = add_bass(piece, random)
        lines += [bass] if bass is not None else []
    if random.random() < 0.7:
        drums = add_drums(piece, corpora.grooves, random)
        lines += [drums] if drums is not None else []
    tracks = []
    for line in lines:
        if line.role == "drums":
            tracks.append(Track(0, line.notes, no_pedal(), is_drum=True))
            continue
        sung = line.role == "melody" and random.random() < 0.45
        program = SINGERS[0] if sung else int(random.choice(PROGRAMS[line.role]))
        pedal = line.pedal if program < 8 else no_pedal()
        notes = one_voice(line.notes) if sung else line.notes
        tracks.append(fit(Track(program, notes, pedal)))
    return piece, tracks


def _voice(corpora: Corpora, length_s: float, random: Generator) -> tuple[Piece, list[Track]]:
    piece = draw_piece(corpora, length_s, random, {"songs": 0.4, "lieder": 0.3, "leadsheets": 0.3})
    return piece, [Track(SINGERS[0], one_voice(piece.lines[0].notes), no_pedal())]


def _guitar(corpora: Corpora, length_s: float, random: Generator) -> tuple[Piece, list[Track]]:
    piece = draw_piece(corpora, length_s, random, {"songs": 0.4, "leadsheets": 0.6})
    lines = list(piece.lines)
    drawn = random.random()
    if drawn < 0.35:
        lines = lines[:1]  # a solo
    elif len(lines) > 1 and drawn < 0.7:
        lines = lines[1:]
    notes = strum(join(lines), random)
    return piece, [fit(Track(int(random.choice(GUITARS)), notes, no_pedal()))]


def _drums(corpora: Corpora, length_s: float, random: Generator) -> tuple[Piece, list[Track]]:
    piece = alone(corpora.grooves[int(random.integers(len(corpora.grooves)))])
    piece = change_tempo(piece, float(random.uniform(0.8, 1.25)))
    piece = _excerpt(piece, length_s, random)
    return piece, [Track(0, piece.lines[0].notes, no_pedal(), is_drum=True)]


def _chamber(corpora: Corpora, length_s: float, random: Generator) -> tuple[Piece, list[Track]]:
    drawn = random.random()
    if drawn < 0.35:
        piece = draw_piece(corpora, length_s, random, {"quartets": 1.0})
        if random.random() < 0.7:
            programs = [40, 40, 41, 42]
        else:
            programs = [int(random.choice(SOLOISTS)) for _ in range(4)]
        lines = list(piece.lines)[: int(random.integers(1, 5))]
        return piece, [
            fit(Track(program, line.notes, no_pedal()))
            for program, line in zip(programs, lines, strict=False)
        ]
    piece = draw_piece(corpora, length_s, random, {"lieder": 0.5, "leadsheets": 0.3, "songs": 0.2})
    soloist = fit(Track(int(random.choice(SOLOISTS)), one_voice(piece.lines[0].notes), no_pedal()))
    if drawn < 0.6 or len(piece.lines) < 2:
        return piece, [soloist]
    accompanist = int(random.choice([*PIANOS, 24, 25, 46, 48, 16, 19]))
    accompaniment = Track(accompanist, join(list(piece.lines[1:])), no_pedal())
    return piece, [soloist, fit(accompaniment)]


def _ensemble(corpora: Corpora, length_s: float, random: Generator) -> tuple[Piece, list[Track]]:
    """Draw two to four players of one line each: a usual group, or any instruments together."""
    piece, lines = _draw_lines(corpora, length_s, random)
    if random.random() < 0.4 and len(lines) > 2:
        count = int(random.integers(2, len(lines)))
        lines = [lines[i] for i in sorted(random.permutation(len(lines))[:count])]
    programs = list(ENSEMBLES[int(random.integers(len(ENSEMBLES)))])
    if random.random() < 0.5:
        programs = [_draw_program(ENSEMBLE_FAMILIES, random) for _ in lines]
    return piece, [
        fit(Track(program, line.notes, no_pedal()))
        for program, line in zip(programs, lines, strict=False)
    ]


def _solo(corpora: Corpora, length_s: float, random: Generator) -> tuple[Piece, list[Track]]:
    """Draw one player: of one line, or of all lines of a piece."""
    piece, lines = _draw_lines(corpora, length_s, random)
    if random.random() < CHORDS_SHARE:
        program = _draw_program(CHORD_PLAYERS, random)
        return piece, [fit(Track(program, join(lines), no_pedal()))]
    line = lines[int(random.integers(len(lines)))]
    return piece, [fit(Track(_draw_program(ENSEMBLE_FAMILIES, random), line.notes, no_pedal()))]


def _draw_program(families: Sequence[Sequence[int]], random: Generator) -> int:
    """Draw a family, then one of its programs."""
    return int(random.choice(families[int(random.integers(len(families)))]))


def _draw_lines(corpora: Corpora, length_s: float, random: Generator) -> tuple[Piece, list[Line]]:
    """Draw a piece and its lines of one note at a time, from the highest to the lowest."""
    piece = draw_piece(corpora, length_s, random, {"quartets": 0.5, "hymns": 0.35, "lieder": 0.15})
    lines = [replace(line, notes=one_voice(line.notes)) for line in piece.lines]
    lines = [line for line in lines if len(line.notes)]
    return piece, sorted(lines, key=lambda line: -float(np.median(line.notes[:, PITCH])))


COMPOSERS: Final[dict[Kind, Composer]] = {
    "piano": _piano,
    "band": _band,
    "voice": _voice,
    "guitar": _guitar,
    "drums": _drums,
    "chamber": _chamber,
    "ensemble": _ensemble,
    "solo": _solo,
}
"""How a scene of each kind is composed: from the corpora, a length in seconds and a generator, to
the piece and its tracks. Raises ``ValueError`` if the piece drawn cannot be used.
"""


def draw_piece(
    corpora: Corpora, length_s: float, random: Generator, shares: dict[str, float]
) -> Piece:
    """Draw an excerpt of a performed piece, from corpora with given probabilities.

    Raises
    ------
    ValueError
        If the excerpt has no notes, or hardly any beats.
    """
    kind = str(random.choice(list(shares), p=list(shares.values())))
    piece = _excerpt(play_from(corpora, kind, random), length_s, random)
    if not any(len(line.notes) for line in piece.lines) or len(piece.beats_s) < 4:
        raise ValueError(f"{piece.name}: nothing within the excerpt")
    return piece


def _excerpt(piece: Piece, length_s: float, random: Generator) -> Piece:
    end_s = max(line.notes[:, OFFSET].max() for line in piece.lines if len(line.notes))
    start_s = float(random.uniform(0.0, max(end_s - length_s, 0.0)))
    return cut(piece, start_s, start_s + length_s)


def join(lines: list[Line]) -> NDArray[np.float64]:
    """Return the notes of several lines, sorted by onset."""
    notes = np.concatenate([line.notes for line in lines])
    return notes[np.argsort(notes[:, ONSET], kind="stable")]


def one_voice(notes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the highest of the notes that begin together, each cut off by the next one."""
    order = np.lexsort((-notes[:, PITCH], np.round(notes[:, ONSET], 2)))
    line = notes[order]
    first = np.diff(np.round(line[:, ONSET], 2), prepend=-1.0) > 0.04
    line = line[first]
    line = line[np.argsort(line[:, ONSET], kind="stable")]
    line[:-1, OFFSET] = np.minimum(line[:-1, OFFSET], line[1:, ONSET])
    return line[line[:, OFFSET] - line[:, ONSET] > 0.04]


def strum(notes: NDArray[np.float64], random: Generator) -> NDArray[np.float64]:
    """Spread chords upwards, or a third of them downwards."""
    strummed = notes.copy()
    step_s = random.uniform(0.0, 0.022)
    for onset_s in np.unique(np.round(notes[:, ONSET], 2)):
        chord = np.flatnonzero(np.round(notes[:, ONSET], 2) == onset_s)
        rank = np.argsort(np.argsort(notes[chord, PITCH]))
        if random.random() < 0.35:
            rank = rank[::-1] if len(rank) < 2 else len(rank) - 1 - rank
        strummed[chord, ONSET] += rank * step_s
    strummed[:, OFFSET] = np.maximum(strummed[:, OFFSET], strummed[:, ONSET] + 0.05)
    return strummed[np.argsort(strummed[:, ONSET], kind="stable")]


def fit(track: Track) -> Track:
    """Move a track by octaves into its instrument's range; drop notes still outside."""
    low, high = RANGES.get(track.program, (21, 108))
    if 24 <= track.program < 32:
        low, high = GUITAR_RANGE
    elif 32 <= track.program < 40:
        low, high = BASS_RANGE
    if not len(track.notes):
        return track
    middle = float(np.median(track.notes[:, PITCH]))
    octaves = np.arange(-4, 5)
    inside = [
        np.mean((track.notes[:, PITCH] + 12 * o >= low) & (track.notes[:, PITCH] + 12 * o <= high))
        for o in octaves
    ]
    nearness = np.abs(middle + 12 * octaves - (low + high) / 2) / 1000 + np.abs(octaves) / 50
    shift = 12 * int(octaves[int(np.argmax(np.array(inside) - nearness))])
    notes = track.notes.copy()
    notes[:, PITCH] += shift
    kept = (notes[:, PITCH] >= low) & (notes[:, PITCH] <= high)
    return Track(track.program, notes[kept], track.pedal, track.is_drum)


def finish(track: Track, random: Generator) -> Track:
    """Redraw velocities: a slow random curve, a random level and a random range."""
    notes = track.notes.copy()
    grid = gaussian_filter1d(random.standard_normal(64), 3)
    grid = grid / (grid.std() + 1e-9) * random.uniform(0, 14)
    course = np.interp(notes[:, ONSET], np.linspace(0, max(notes[-1, ONSET], 1.0), 64), grid)
    centre = random.uniform(45, 100) if not track.is_drum else 90.0
    mean = float(notes[:, VELOCITY].mean())
    spread = random.uniform(0.7, 1.3)
    notes[:, VELOCITY] = centre + (notes[:, VELOCITY] - mean) * spread + course
    notes[:, VELOCITY] += random.normal(0, 4, len(notes))
    notes[:, VELOCITY] = np.clip(notes[:, VELOCITY], 8, 127)
    return Track(track.program, notes, track.pedal, track.is_drum)


def no_pedal() -> NDArray[np.float64]:
    """Return an empty course of the pedal."""
    return np.zeros((0, 2))


def _invent_pedal(
    notes: NDArray[np.float64], length_s: float, random: Generator
) -> NDArray[np.float64]:
    """Return syncopated pedalling: released at an attack now and then, pressed just after it."""
    period_s = random.uniform(0.5, 2.5)
    times = np.arange(0.2, length_s, period_s) + random.normal(0, 0.03)
    times = times[: max(len(times) - 1, 0)]
    if not len(times) or not len(notes):
        return no_pedal()
    nearest = notes[np.clip(np.searchsorted(notes[:, ONSET], times), 0, len(notes) - 1), ONSET]
    changes = np.unique(nearest)
    rows: list[tuple[float, float]] = []
    for change_s in changes:
        rows.append((float(change_s) + random.uniform(-0.02, 0.06), 0.0))
        if random.random() < 0.85:
            rows.append((float(change_s) + random.uniform(0.09, 0.2), 127.0))
    rows.append((length_s, 0.0))
    return np.array(sorted(rows))
