"""Annotated recordings, read from folders with the layout of each data set."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import soundfile

from inference_service.music.events import ChordSegment, Key
from model_zoo.training.sources import extra
from model_zoo.training.sources.piece import Piece
from model_zoo.training.sources.recordings import list_recordings
from model_zoo.training.sources.splits import assign
from model_zoo.training.sources.survey import SurveyReport, sift
from tests.unit.model_zoo.training.sources.pieces import tune
from tests.unit.model_zoo.training.sources.test_midi_folder import notes, save

SetIndex = Callable[[dict[str, Any]], None]


@pytest.fixture
def set_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SetIndex:
    """Provide the index that mirdata would download."""
    core = pytest.importorskip("mirdata.core", reason="mirdata comes with the extra 'training'")

    def write(index: dict[str, Any]) -> None:
        path = tmp_path / "index.json"
        path.write_text(json.dumps(index))
        monkeypatch.setattr(core.Index, "get_path", lambda _: str(path))

    return write


def sound(path: Path, length_s: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(int(8000 * length_s)), 8000)
    return path


def read(name: str, folder: Path) -> list[Piece]:
    return [entry.read() for entry in list_recordings(name, folder)]


def test_vocadito(tmp_path: Path, set_index: SetIndex) -> None:
    audio = sound(tmp_path / "Audio" / "vocadito_1.wav")
    (tmp_path / "a1.csv").write_text("0.5,440.0,0.25\n1.0,466.1638,0.5\n")
    files = {"audio": "Audio/vocadito_1.wav", "f0": "f0.csv", "lyrics": "lyrics.csv"}
    paths = {**files, "notesA1": "a1.csv", "notesA2": "a2.csv"}
    set_index({"version": "1.0", "tracks": {"1": {k: [v, ""] for k, v in paths.items()}}})
    (piece,) = read("vocadito", tmp_path)
    assert piece.audio == audio
    assert piece.lines[0].notes.ravel() == pytest.approx(
        [0.5, 0.75, 69, 80, 1.0, 1.5, 70, 80], abs=1e-3
    )
    assert (piece.lines[0].role, piece.lines[0].program) == ("melody", 52)
    assert piece.origin.licence.allows_weights


def jams(strings: dict[int, list[tuple[float, float, float]]]) -> dict[str, Any]:
    """Return a GuitarSet annotation."""

    def annotate(namespace: str, rows: list[tuple[float, float, Any]], **meta: Any) -> Any:
        data = [{"time": t, "duration": d, "value": v, "confidence": None} for t, d, v in rows]
        return {"namespace": namespace, "data": data, "annotation_metadata": meta}

    beats = [(k * 0.5, 0.0, {"position": k % 4 + 1, "measure": 1}) for k in range(4)]
    chords = [(0.0, 1.0, "D:min"), (1.0, 1.0, "G:7/3")]
    return {
        "annotations": [
            *(annotate("note_midi", strings.get(n, []), data_source=str(n)) for n in range(6)),
            annotate("beat_position", beats),
            annotate("chord", chords),
            annotate("chord", chords),
            annotate("key_mode", [(0.0, 2.0, "D:minor")]),
        ]
    }


def test_guitarset(tmp_path: Path, set_index: SetIndex) -> None:
    sound(tmp_path / "mic" / "00_Jazz1-130-D_solo_mic.wav")
    strings = {0: [(1.0, 0.5, 40.1), (0.0, 0.5, 43.9)], 3: [(0.5, 0.25, 55.0)]}
    (tmp_path / "solo.jams").write_text(json.dumps(jams(strings)))
    files = {"jams": "solo.jams", "audio_mic": "mic/00_Jazz1-130-D_solo_mic.wav"}
    missing = dict.fromkeys(("audio_hex_cln", "audio_hex", "audio_mix"), "no.wav")
    paths = {k: [v, ""] for k, v in {**files, **missing}.items()}
    set_index({"version": "1.1.0", "tracks": {"00_Jazz1-130-D_solo": paths}})
    (piece,) = read("guitarset", tmp_path)
    assert piece.lines[0].notes[:, :3].tolist() == [[0, 0.5, 43.9], [0.5, 0.75, 55], [1, 1.5, 40.1]]
    assert piece.positions.tolist() == [1, 2, 3, 4]
    assert piece.chords[1] == ChordSegment(1.0, 2.0, "G:7/3")
    assert piece.key == Key("D", "minor")
    assert piece.origin.work == "guitarset jazz1-130-d"


def test_maestro_keeps_its_own_splits(tmp_path: Path, set_index: SetIndex) -> None:
    rows, tracks = [], {}
    for number, split in enumerate(("train", "validation", "test")):
        name = f"2004/{number}"
        sound(tmp_path / f"{name}.wav")
        track = notes(tune(number).notes)
        track.insert(2, mido.Message("control_change", control=64, value=100))
        save(tmp_path / f"{name}.midi", track)
        tracks[name] = {"midi": [f"{name}.midi", ""], "audio": [f"{name}.wav", ""]}
        title = {
            "canonical_composer": "Johann Tester",
            "canonical_title": f"Sonata {'ABC'[number]}",
        }
        rows.append({"midi_filename": f"{name}.midi", "split": split, **title})
    (tmp_path / "maestro-v2.0.0.json").write_text(json.dumps(rows))
    set_index({"version": "2.0.0", "tracks": tracks})
    pieces = read("maestro", tmp_path)
    assert [assign(piece.origin) for piece in pieces] == ["train", "dev", "held out"]
    assert pieces[0].origin.work == "johann tester sonata a"
    assert pieces[0].lines[0].pedal.tolist() == [[0.0, 100.0]]
    assert not pieces[0].origin.licence.allows_weights


def test_maestro_without_its_list_of_splits(tmp_path: Path, set_index: SetIndex) -> None:
    sound(tmp_path / "a.wav")
    save(tmp_path / "a.midi", notes(tune().notes))
    set_index(
        {"version": "2.0.0", "tracks": {"a": {"midi": ["a.midi", ""], "audio": ["a.wav", ""]}}}
    )
    (piece,) = read("maestro", tmp_path)
    assert piece.origin.work == "a"
    assert piece.origin.part is None


def test_slakh_is_its_stems(tmp_path: Path, set_index: SetIndex) -> None:
    stems = {
        "S00": ("Bass", 33, False, "S00.flac"),
        "S01": ("Drums", 128, True, "S01.flac"),
        "S02": ("Piano", 0, False, None),
    }
    home = tmp_path / "Track00001"
    mix = sound(home / "mix.wav")
    rows = tune(0).notes
    rows[:, 2] = 36 + rows[:, 2] % 12
    for stem, (_, _, is_drum, audio) in stems.items():
        save(home / "MIDI" / f"{stem}.mid", notes(rows, channel=9 if is_drum else 0))
        if audio:
            sound(home / "stems" / audio.replace("flac", "wav"))
    save(home / "all_src.mid", notes(rows))
    table = "stems:\n" + "".join(
        f"  {stem}: {{inst_class: {name}, program_num: {program}, is_drum: {str(drum).lower()}}}\n"
        for stem, (name, program, drum, _) in stems.items()
    )
    (home / "metadata.yaml").write_text(table)
    tracks = {
        f"Track00001-{stem}": {
            "metadata": ["Track00001/metadata.yaml", ""],
            "midi": [f"Track00001/MIDI/{stem}.mid", ""],
            "audio": [audio and f"Track00001/stems/{stem}.wav", ""],
        }
        for stem, (_, _, _, audio) in stems.items()
    }
    whole = {"mix": "mix.wav", "midi": "all_src.mid", "metadata": "metadata.yaml"}
    multitrack = {k: [f"Track00001/{v}", ""] for k, v in whole.items()}
    index = {"version": "baby", "tracks": tracks}
    index["multitracks"] = {"Track00001": {"tracks": list(tracks), **multitrack}}
    set_index(index)
    (piece,) = read("slakh", tmp_path)
    assert piece.audio == mix
    assert [(line.role, line.program) for line in piece.lines] == [("bass", 33), ("drums", None)]
    assert piece.beats_s[:3].tolist() == [0.0, 0.5, 1.0]


def test_musicnet(tmp_path: Path) -> None:
    sound(tmp_path / "musicnet" / "test_data" / "1819.wav")
    labels = tmp_path / "musicnet" / "test_labels" / "1819.csv"
    labels.parent.mkdir()
    labels.write_text(
        "start_time,end_time,instrument,note,start_beat,end_beat,note_value\n"
        "88200,132300,41,76,2.0,1.0,Quarter\n44100,88200,1,60,1.0,1.0,Quarter\n"
    )
    with (tmp_path / "musicnet_metadata.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerows([["id", "composer", "composition"], ["1819", "Mozart", "Quartet No 15"]])
    (piece,) = read("musicnet", tmp_path)
    assert [(line.program, line.notes.tolist()) for line in piece.lines] == [
        (0, [[1.0, 2.0, 60, 80]]), (40, [[2.0, 3.0, 76, 80]]),
    ]  # fmt: skip
    assert assign(piece.origin) == "held out"
    assert piece.origin.work == "mozart quartet no 15"


def test_maps(tmp_path: Path) -> None:
    name = "MAPS_MUS-chpn_op25_e2_ENSTDkCl"
    sound(tmp_path / "ENSTDkCl" / "MUS" / f"{name}.wav")
    table = "OnsetTime\tOffsetTime\tMidiPitch\n0.500\t1.25\t60\n\n0.25\t1.0\t64\n"
    (tmp_path / "ENSTDkCl" / "MUS" / f"{name}.txt").write_text(table)
    (piece,) = read("maps", tmp_path)
    assert piece.lines[0].notes[:, :3].tolist() == [[0.25, 1.0, 64], [0.5, 1.25, 60]]
    assert piece.origin.work == "chpn op25 e2"
    assert not piece.origin.licence.allows_weights


def test_labels_without_sound_are_counted(tmp_path: Path) -> None:
    header = "OnsetTime\tOffsetTime\tMidiPitch\n"
    (tmp_path / "MAPS_MUS-a_X.txt").write_text(header + "0 1 60\n")
    (tmp_path / "MAPS_MUS-b_X.txt").write_text("something else\n")
    report = SurveyReport()
    assert not list(sift(list_recordings("maps", tmp_path), report))
    assert report.dropped == {"unreadable": 2}


def test_the_notes_of_a_recording_are_not_changed(tmp_path: Path) -> None:
    """Overlapping notes of one pitch and very long notes are kept, because they sound."""
    rows = [f"{k} {k + (40 if k == 3 else 1.5)} {60 + k % 2}" for k in range(20)]
    table = "\n".join(["OnsetTime\tOffsetTime\tMidiPitch", *rows])
    for name in ("MAPS_MUS-a_X", "MAPS_MUS-a_Y"):
        sound(tmp_path / f"{name}.wav")
        (tmp_path / f"{name}.txt").write_text(table)
    kept = list(sift(list_recordings("maps", tmp_path)))
    assert [len(piece.lines[0].notes) for piece in kept] == [20, 20]
    assert kept[0].lines[0].notes[3, 1] == 43.0


def test_a_missing_index_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    core = pytest.importorskip("mirdata.core", reason="mirdata comes with the extra 'training'")
    monkeypatch.setattr(core.Index, "get_path", lambda _: str(tmp_path / "none.json"))
    with pytest.raises(FileNotFoundError, match="download"):
        list(list_recordings("guitarset", tmp_path))


def test_a_missing_library_says_how_to_get_it() -> None:
    with pytest.raises(extra.MissingExtra, match="make setup"):
        extra.load_extra("a_library_that_nobody_wrote")
