"""Annotated recordings: pieces with a sound file.

MAESTRO, GuitarSet, Slakh and vocadito are read with mirdata from a local folder. It first needs its
index of files: ``mirdata.initialize(NAME, data_home=FOLDER).download(["index"])``. MusicNet and
MAPS, which mirdata lacks, have readers here.

Pitches are as annotated, for singers and guitars in fractions of a semitone. Notes without an
annotated loudness have velocity :data:`UNMEASURED`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from inference_service.music.events import ChordSegment, Key
from inference_service.music.pitch import build_key, pitch_class
from model_zoo.training.sources.extra import load_extra
from model_zoo.training.sources.midi_folder import count_beats, read_instrument
from model_zoo.training.sources.piece import (
    CC_BY,
    CC_BY_NC_SA,
    Line,
    Notes,
    Origin,
    Part,
    Piece,
    guess_role,
    make_line,
)
from model_zoo.training.sources.splits import name_work
from model_zoo.training.sources.survey import Entry

UNMEASURED: Final = 80.0
STEEL_GUITAR, SINGER = 25, 52
MUSICNET_RATE_HZ: Final = 44100
_PARTS: Final[dict[str, Part]] = {"train": "train", "validation": "dev", "test": "held out"}


def list_recordings(name: str, folder: Path) -> Iterator[Entry]:
    """List the recordings in ``folder`` of the data set ``name``, one of :data:`READERS`.

    Raises
    ------
    MissingExtra
        If the set needs mirdata and it is not installed.
    FileNotFoundError
        If mirdata lacks its index of the set.
    """
    return READERS[name](folder)


def _list_tracks(
    name: str, read: Callable[[Any], Piece], folder: Path, *, multitracks: bool = False
) -> Iterator[Entry]:
    dataset = load_extra("mirdata").initialize(name, data_home=str(folder))
    number = dataset.mtrack_ids if multitracks else dataset.track_ids
    build = dataset.multitrack if multitracks else dataset.track
    for identity in number:
        yield Entry(f"{name}/{identity}", partial(_read_track, read, build, identity))


def _read_track(read: Callable[[Any], Piece], build: Callable[[str], Any], identity: str) -> Piece:
    try:
        return read(build(identity))
    except (OSError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{identity}: {error}") from error


def _build(
    name: str, lines: list[Line], audio: str | Path | None, origin: Origin, **known: Any
) -> Piece:
    """Build a piece.

    Raises
    ------
    ValueError
        If its sound file is missing.
    """
    if audio is None or not Path(audio).is_file():
        raise ValueError(f"{name}: no sound file {audio}")
    return Piece(
        name=name,
        lines=tuple(line for line in lines if len(line.notes)),
        beats_s=known.pop("beats_s", np.zeros(0)),
        positions=known.pop("positions", np.zeros(0, np.int64)),
        bar_beats=known.pop("bar_beats", 4),
        origin=origin,
        audio=Path(audio),
        **known,
    )


# Through mirdata


def _read_maestro(track: Any) -> Piece:
    lines = [read_instrument(part) for part in track.midi.instruments if part.notes]
    try:
        work = f"{track.canonical_composer} {track.canonical_title}"
        part = _PARTS[track.split]
    except (FileNotFoundError, KeyError):  # the set's list of splits is missing
        work, part = track.track_id, None
    origin = Origin("maestro", name_work(work), CC_BY_NC_SA, part)
    return _build(track.track_id, lines, track.audio_path, origin)


def _read_guitarset(track: Any) -> Piece:
    """Read a take; its work is its style, tempo and key, which six players share."""
    strings = [_read_notes(notes) for notes in track.notes.values() if notes is not None]
    notes = np.concatenate(strings) if strings else np.zeros((0, 4))
    beats = track.beats
    chords = track.inferred_chords
    return _build(
        track.track_id,
        [_name(make_line("chords", notes[np.argsort(notes[:, 0], kind="stable")]), STEEL_GUITAR)],
        track.audio_mic_path,
        Origin("guitarset", f"guitarset {track.track_id.split('_')[1].lower()}", CC_BY),
        beats_s=np.asarray(beats.times, np.float64),
        positions=np.asarray(beats.positions, np.int64),
        chords=tuple(
            ChordSegment(float(start_s), float(end_s), label)
            for (start_s, end_s), label in zip(chords.intervals, chords.labels, strict=True)
        ),
        key=_read_key(track),
    )


def _read_key(track: Any) -> Key | None:
    try:
        tonic, _, mode = track.key_mode.keys[0].partition(":")
    except UnboundLocalError:  # raised by mirdata if a file has no key
        return None
    if mode not in ("major", "minor"):
        return None
    return build_key(pitch_class(tonic), "minor" if mode == "minor" else "major")


def _read_slakh(mtrack: Any) -> Piece:
    """Read a mix: each stem that sounds is a line with the program that it was rendered with."""
    if mtrack.split == "omitted":
        raise ValueError(f"{mtrack.mtrack_id}: a duplicate, says Slakh")
    lines = []
    for track in mtrack.tracks.values():
        if track.audio_path is None or track.midi is None or not Path(track.audio_path).is_file():
            continue
        for part in track.midi.instruments:
            part.program, part.is_drum = track.program_number % 128, bool(track.is_drum)
            lines += [read_instrument(part)] if part.notes else []
    beats_s, positions, bar_beats = count_beats(mtrack.midi)
    origin = Origin("slakh", f"slakh {mtrack.mtrack_id.lower()}", CC_BY, _PARTS.get(mtrack.split))
    known = {"beats_s": beats_s, "positions": positions, "bar_beats": bar_beats}
    return _build(mtrack.mtrack_id, lines, mtrack.mix_path, origin, **known)


def _read_vocadito(track: Any) -> Piece:
    """Read the notes of the first of two annotators."""
    line = _name(make_line("melody", _read_notes(track.notes_a1)), SINGER)
    origin = Origin("vocadito", f"vocadito {track.track_id}", CC_BY)
    return _build(f"vocadito-{track.track_id}", [line], track.audio_path, origin)


def _read_notes(data: Any) -> Notes:
    """Return the notes of a mirdata NoteData, shape (N, 4)."""
    convert = load_extra("mirdata.annotations").convert_pitch_units
    pitches = np.asarray(convert(data.pitches, data.pitch_unit, "midi"), np.float64)
    loud = np.full(len(pitches), UNMEASURED)
    notes = np.column_stack([np.asarray(data.intervals, np.float64), pitches, loud])
    return notes[np.argsort(notes[:, 0], kind="stable")]


def _name(line: Line, program: int) -> Line:
    return Line(line.role, line.notes, line.pedal, program)


# Without mirdata


def _list_musicnet(folder: Path) -> Iterator[Entry]:
    titles = _read_titles(folder / "musicnet_metadata.csv")
    for part in ("train", "test"):
        for path in sorted(folder.glob(f"**/{part}_labels/*.csv")):
            audio = path.parents[1] / f"{part}_data" / f"{path.stem}.wav"
            work = titles.get(path.stem, f"musicnet {path.stem}")
            origin = Origin("musicnet", work, CC_BY, _PARTS[part])
            yield Entry(f"musicnet/{path.stem}", partial(read_musicnet, path, audio, origin))


def _read_titles(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["id"]: name_work(f"{row['composer']} {row['composition']}") for row in rows}


def read_musicnet(path: Path, audio: Path, origin: Origin) -> Piece:
    """Read a MusicNet recording and its labels (times in samples, programs 1-based).

    Raises
    ------
    ValueError
        If the table lacks a column, or the sound file is missing.
    """
    lines: dict[int, list[tuple[float, float, float, float]]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                start_s, end_s = (
                    int(row[name]) / MUSICNET_RATE_HZ for name in ("start_time", "end_time")
                )
                notes = lines.setdefault(int(row["instrument"]) - 1, [])
                notes.append((start_s, end_s, float(row["note"]), UNMEASURED))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path.name}: no column {error}") from error
    built = []
    for program, notes in sorted(lines.items()):
        array = np.array(sorted(notes), np.float64)
        built.append(_name(make_line(guess_role(program, array, ""), array), program))
    return _build(f"musicnet-{path.stem}", built, audio, origin)


def _list_maps(folder: Path) -> Iterator[Entry]:
    for path in sorted(folder.rglob("MAPS_*.txt")):
        yield Entry(f"maps/{path.stem}", partial(read_maps, path))


def read_maps(path: Path) -> Piece:
    """Read a MAPS recording and its labels: a table of onset, offset and pitch beside the sound.

    Files are called ``MAPS_MUS-piece_PIANO``. An offset is when the key is released, or the pedal
    if that is later.

    Raises
    ------
    ValueError
        If the table is malformed, or the sound file is missing.
    """
    header, *rows = path.read_text().splitlines()
    if header.split() != ["OnsetTime", "OffsetTime", "MidiPitch"]:
        raise ValueError(f"{path.name}: no table of notes")
    notes = [(*map(float, row.split()), UNMEASURED) for row in rows if row.strip()]
    array = np.array(sorted(notes), np.float64).reshape(-1, 4)
    work = path.stem.removeprefix("MAPS_").rpartition("_")[0].partition("-")[2]
    origin = Origin("maps", name_work(work.replace("_", " ")), CC_BY_NC_SA)
    line = _name(make_line("piano", array), 0)
    return _build(path.stem, [line], path.with_suffix(".wav"), origin)


READERS: Final[dict[str, Callable[[Path], Iterator[Entry]]]] = {
    "maestro": partial(_list_tracks, "maestro", _read_maestro),
    "guitarset": partial(_list_tracks, "guitarset", _read_guitarset),
    "slakh": partial(_list_tracks, "slakh", _read_slakh, multitracks=True),
    "vocadito": partial(_list_tracks, "vocadito", _read_vocadito),
    "musicnet": _list_musicnet,
    "maps": _list_maps,
}
