"""Hooktheory's annotations of songs: melodies, chords, keys and bars, as JSON.

The format is that of the dataset of "Melody transcription via generative pre-training" (Donahue,
Thickstun and Liang, ISMIR 2022): a JSON object with an entry for each clip of about half a minute,
annotated by users.

Times are in beats, which the dataset aligns with a recording. The ``refined`` alignment is used if
there is one, else the user's two points, else 0.5 s a beat. Melodies are deadpan; their octave
numbers are relative, and octave 0 is read as that of middle C. Modes are reduced to major or minor
by their third. The dataset's ``TEST`` split is not listed, so that it stays available for
evaluation.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import ChordSegment, Key
from inference_service.music.pitch import build_key
from model_zoo.training.sources.harte import name_chord
from model_zoo.training.sources.piece import (
    CC_BY_NC_SA,
    Origin,
    Part,
    Piece,
    count_positions,
    make_line,
)
from model_zoo.training.sources.splits import name_work
from model_zoo.training.sources.survey import Entry

VELOCITY: Final = 90.0
MIDDLE_C: Final = 60
_PARTS: Final[dict[str, Part]] = {"TRAIN": "train", "VALID": "dev"}


def list_hooktheory(path: Path) -> Iterator[Entry]:
    """List the clips of ``Hooktheory.json``, plain or gzipped, except those of the test split.

    Raises
    ------
    ValueError
        If the file does not hold a JSON object.
    """
    data = path.read_bytes()
    clips = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    if not isinstance(clips, dict):
        raise ValueError(f"{path.name}: no object of clips")
    for name, clip in clips.items():
        if clip.get("split") != "TEST":
            yield Entry(name, partial(read_clip, name, clip))


def read_clip(name: str, clip: dict[str, Any]) -> Piece:
    """Read a clip.

    Raises
    ------
    ValueError
        If a field is missing, or there is no melody.
    """
    try:
        annotations = clip["annotations"]
        count = int(annotations["num_beats"])
        clock = _read_clock(clip.get("alignment") or {})
        melody = [
            (note["onset"], note["offset"], _pitch(note), VELOCITY)
            for note in annotations.get("melody") or ()
        ]
        chords = [_read_chord(chord) for chord in annotations.get("harmony") or ()]
        meters = [(int(m["beat"]), int(m["beats_per_bar"])) for m in annotations["meters"]]
        key = _read_key(annotations.get("keys") or ())
        song = (clip.get("hooktheory") or {}).get("song", name)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{name}: {error!r}") from error
    if not melody or not meters:
        raise ValueError(f"{name}: no melody, or no bars")
    notes = np.array(sorted(melody), np.float64)
    notes[:, :2] = clock(notes[:, :2])
    bounds = clock(np.array([chord[:2] for chord in chords], np.float64).reshape(-1, 2))
    title = name_work(song.replace("-", " "))
    downbeats = _lay_bars(meters, count)
    return Piece(
        name=f"hooktheory-{name}",
        lines=(make_line("melody", notes),),
        beats_s=clock(np.arange(count + 1, dtype=np.float64)),
        positions=count_positions(count + 1, downbeats, meters[0][1]),
        bar_beats=meters[0][1],
        chords=tuple(
            ChordSegment(float(start_s), float(end_s), chord[2])
            for (start_s, end_s), chord in zip(bounds, chords, strict=True)
        ),
        key=key,
        deadpan=True,
        origin=Origin("hooktheory", title, CC_BY_NC_SA, _PARTS.get(clip.get("split", ""))),
    )


def _pitch(note: dict[str, Any]) -> float:
    return float(MIDDLE_C + 12 * note["octave"] + note["pitch_class"])


def _read_chord(chord: dict[str, Any]) -> tuple[float, float, str]:
    tones = [0, *accumulate(chord["root_position_intervals"])]
    bass = tones[chord["inversion"]]
    label = name_chord(chord["root_pitch_class"], tones, bass)
    return float(chord["onset"]), float(chord["offset"]), label


def _read_key(keys: Any) -> Key | None:
    if not keys:
        return None
    third = sum(keys[0]["scale_degree_intervals"][:2])
    return build_key(keys[0]["tonic_pitch_class"], "minor" if third == 3 else "major")


def _lay_bars(meters: list[tuple[int, int]], count: int) -> NDArray[np.intp]:
    """Return the indices of downbeats."""
    stops = [*(beat for beat, _ in meters[1:]), count + 1]
    bars = [np.arange(beat, stop, size) for (beat, size), stop in zip(meters, stops, strict=True)]
    return np.concatenate(bars).astype(np.intp)


class _Clock:
    """Maps beats to seconds, extrapolated at the tempo of the first and last known beats."""

    def __init__(self, beats: NDArray[np.float64], times_s: NDArray[np.float64]) -> None:
        before = beats[0] - 1.0, times_s[0] - (times_s[1] - times_s[0]) / (beats[1] - beats[0])
        last_s = (times_s[-1] - times_s[-2]) / (beats[-1] - beats[-2])
        after = beats[-1] + 1000.0, times_s[-1] + 1000.0 * last_s
        self._beats = np.array([before[0], *beats, after[0]])
        self._times_s = np.array([before[1], *times_s, after[1]])

    def __call__(self, beats: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.interp(beats, self._beats, self._times_s), np.float64)


def _read_clock(alignment: dict[str, Any]) -> _Clock:
    known = (
        alignment.get("refined") or alignment.get("user") or {"beats": [0, 1], "times": [0, 0.5]}
    )
    beats, times_s = np.array(known["beats"], float), np.array(known["times"], float)
    if len(beats) < 2 or not (np.diff(beats) > 0).all() or not (np.diff(times_s) > 0).all():
        raise ValueError("an alignment that is not increasing")
    return _Clock(beats, times_s)
