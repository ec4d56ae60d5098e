"""OpenScore's lieder with their Roman numeral analyses, as songs.

Bars and notes are those of the scores. The analyses were estimated by a network (AugmentedNet, in
RomanText): chords in local keys, by measure and beat. music21 interprets the numerals. Chords are
named by their sound; augmented sixths, too, are named as major chords on the lowered sixth degree.

The analysis changes its local key almost as often as the chord. Keys in force are therefore the
path through the bars that agrees best with the analysis, where the relative key counts as half an
agreement and a change costs as much as two bars of agreement. On a twelfth of the songs, 77 % of
the bars and 86 % of the last bars are then in a key with the score's signature at that place.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import Key, Mode
from inference_service.music.pitch import build_key, pitch_class
from inference_service.notation.partwise import unpack
from model_zoo.training.continuation.song import Song
from model_zoo.training.continuation.written import WrittenBar, list_bars, write_down
from model_zoo.training.sources.harte import name_chord
from model_zoo.training.sources.scores import parse_score

ANALYSIS: Final = "analysis_automatic.rntxt"
CHANGE_BARS: Final = 2.0
SAME_SIGNATURE: Final = 0.5
"""No record of how these were chosen; the shares above were measured with them."""

_LATE_Q: Final = 1e-3

_MEASURE: Final = re.compile(r"m(\d+)\s+(.*)")
_SIGNATURE: Final = re.compile(r"Time Signature:\s*(\d+)/(\d+)")
_BEAT: Final = re.compile(r"b(\d+(?:\.\d+)?|nan)")
_KEY: Final = re.compile(r"([A-Ga-g][#b]*):")


@dataclass(frozen=True, slots=True)
class Numeral:
    """A Roman numeral with its position and key.

    ``beat`` is 1-based and counts the beats of ``signature``, which are dotted in compound metres;
    None if the analysis states no time signature.
    """

    measure: int
    beat: float
    signature: tuple[int, int] | None
    tonic: int
    mode: Mode
    figure: str


@dataclass(slots=True)
class _Reading:
    signature: tuple[int, int] | None = None
    tonic: int = 0
    mode: Mode = "major"
    numerals: list[Numeral] = field(default_factory=list)


def parse_analysis(text: str) -> list[Numeral]:
    """Read the numerals with a key, a measure and a beat from RomanText; skip everything else."""
    reading = _Reading()
    for line in text.splitlines():
        if match := _SIGNATURE.match(line.strip()):
            reading.signature = int(match[1]), int(match[2])
        elif match := _MEASURE.match(line.strip()):
            _read_measure(int(match[1]), match[2].split(), reading)
    return reading.numerals


def _read_measure(measure: int, tokens: Sequence[str], reading: _Reading) -> None:
    beat: float | None = 1.0
    for token in tokens:
        if match := _BEAT.fullmatch(token):
            beat = None if match[1] == "nan" else float(match[1])
        elif match := _KEY.fullmatch(token):
            reading.tonic = pitch_class(match[1][0].upper() + match[1][1:])
            reading.mode = "major" if match[1][0].isupper() else "minor"
        elif beat is not None:
            reading.numerals.append(
                Numeral(measure, beat, reading.signature, reading.tonic, reading.mode, token)
            )


def name_numeral(figure: str, tonic: int, mode: Mode) -> str | None:
    """Return the chord label of a Roman numeral; None if it is invalid."""
    chord = _read_figure(figure, mode)
    if chord is None:
        return None
    root, intervals, bass = chord
    return name_chord(root + tonic, intervals, bass)


@cache
def _read_figure(figure: str, mode: Mode) -> tuple[int, tuple[int, ...], int] | None:
    """Return a numeral's root above the tonic, its intervals, and its bass above the root."""
    from music21 import roman
    from music21.exceptions21 import Music21Exception

    try:
        numeral = roman.RomanNumeral(figure, "C" if mode == "major" else "c")
        classes = [pitch.pitchClass for pitch in numeral.pitches]
        bass = numeral.bass().pitchClass
        root = bass if numeral.isAugmentedSixth() else numeral.root().pitchClass
    except (Music21Exception, ValueError, IndexError, AttributeError):
        return None
    return root, tuple(sorted({(pc - root) % 12 for pc in classes})), (bass - root) % 12


def list_lieder(archive: Path) -> Iterator[tuple[str, str]]:
    """Yield the names of the score and of the analysis of every song that has both."""
    with zipfile.ZipFile(archive) as files:
        names = files.namelist()
    analyses = {name.rpartition("/")[0]: name for name in names if name.endswith(ANALYSIS)}
    for name in names:
        folder = name.rpartition("/")[0]
        if name.endswith((".mxl", ".musicxml")) and folder in analyses:
            yield name, analyses[folder]


def write_lied(archive: Path, score: str, analysis: str) -> Song | None:
    """Convert a song; None if it cannot be used.

    The melody is the first part, if it has one staff and there are other parts.
    """
    with zipfile.ZipFile(archive) as files:
        text = unpack(files.read(score)) if score.endswith(".mxl") else files.read(score)
        numerals = parse_analysis(files.read(analysis).decode())
    try:
        written = parse_score(score, text)
    except ValueError:
        return None
    numbers = number_measures(text)
    first = {number: index for index, number in reversed([*enumerate(numbers)])}
    shift = 1 if numerals and numerals[0].measure == 0 and 0 not in first else 0
    placed: list[tuple[float, Numeral]] = []
    starts = [*written.bar_start_q.tolist(), np.inf]
    for numeral in numerals:
        index = first.get(numeral.measure + shift)
        if index is None or index >= len(written.bar_start_q):
            continue
        beats, unit = int(written.bar_beats[index]), int(written.bar_unit[index])
        offset_q = _offset(numeral, (beats, unit))
        length_q = starts[index + 1] - starts[index]
        if index == 0:  # in a pickup, beats are counted as in a full measure
            offset_q -= max(4.0 * beats / unit - length_q, 0.0)
        if -_LATE_Q <= offset_q < length_q:
            placed.append((starts[index] + offset_q, numeral))
    placed.sort(key=lambda at: at[0])
    labels = [(at, name_numeral(n.figure, n.tonic, n.mode)) for at, n in placed]
    chords = [(at, label) for at, label in labels if label is not None]
    if not chords:
        return None
    keys = follow_keys(placed, list_bars(written))
    sings = written.staves[0] == 1 and len(written.staves) > 1
    return write_down(score, "lieder", written, chords, keys, 0 if sings else None)


def number_measures(text: bytes) -> list[int]:
    """Return the numbers of the first part's measures; -1 for a measure without one."""
    part = ElementTree.fromstring(text).find("part")
    numbers = [measure.get("number", "") for measure in (part if part is not None else ())]
    return [int(number) if number.isdigit() else -1 for number in numbers]


def _offset(numeral: Numeral, signature: tuple[int, int]) -> float:
    """Return a numeral's position in its measure, in quarters."""
    beats, unit = numeral.signature or signature
    compound = beats % 3 == 0 and beats > 3
    beat_q = 4.0 / unit * (3 if compound else 1)
    return (numeral.beat - 1) * beat_q


def follow_keys(
    placed: Sequence[tuple[float, Numeral]], bars: Sequence[WrittenBar]
) -> list[tuple[float, Key]]:
    """Return the keys and their starts in quarters, by Viterbi's algorithm over bars."""
    gains = _agree(placed, bars)
    total = gains[0]
    came_from = np.zeros(gains.shape, np.int64)
    for bar in range(1, len(gains)):
        best = int(total.argmax())
        changes = total[best] - CHANGE_BARS > total
        came_from[bar] = np.where(changes, best, np.arange(24))
        total = np.where(changes, total[best] - CHANGE_BARS, total) + gains[bar]
    path = [int(total.argmax())]
    for bar in range(len(gains) - 1, 0, -1):
        path.append(int(came_from[bar, path[-1]]))
    keys: list[tuple[float, Key]] = []
    for bar_of, state in zip(bars, reversed(path), strict=True):
        key = build_key(state % 12, "minor" if state >= 12 else "major")
        if not keys or keys[-1][1] != key:
            keys.append((bar_of.start_q, key))
    return keys


def _agree(
    placed: Sequence[tuple[float, Numeral]], bars: Sequence[WrittenBar]
) -> NDArray[np.float64]:
    """Return the agreement of each key with the analysis in each bar, shape (B, 24)."""
    gains = np.zeros((len(bars), 24))
    stops = [at for at, _ in placed[1:]] + [bars[-1].stop_q]
    for (start_q, numeral), stop_q in zip(placed, stops, strict=True):
        minor = numeral.mode == "minor"
        state = numeral.tonic + 12 * minor
        relative = (numeral.tonic + 3) % 12 if minor else (numeral.tonic - 3) % 12 + 12
        for number, bar in enumerate(bars):
            inside_q = min(stop_q, bar.stop_q) - max(start_q, bar.start_q)
            if inside_q > 0:
                gains[number, state] += inside_q / bar.length_q
                gains[number, relative] += SAME_SIGNATURE * inside_q / bar.length_q
    return gains
