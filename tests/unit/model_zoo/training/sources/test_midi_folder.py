"""Folders of MIDI files, damaged ones among them."""

from __future__ import annotations

import shutil
from pathlib import Path

import mido
import numpy as np
import pytest

from inference_service.music.events import Key
from model_zoo.training.sources.midi_folder import MAX_BYTES, list_midi, read_midi
from model_zoo.training.sources.piece import CC0
from model_zoo.training.sources.survey import SurveyReport, sift
from tests.unit.model_zoo.training.sources.pieces import shift, tune

TICKS = 480


def save(path: Path, *tracks: list[mido.Message | mido.MetaMessage]) -> Path:
    midi = mido.MidiFile(type=1, ticks_per_beat=TICKS)
    midi.tracks.extend(mido.MidiTrack(track) for track in tracks)
    path.parent.mkdir(parents=True, exist_ok=True)
    midi.save(path)
    return path


def notes(
    rows: np.ndarray, *, channel: int = 0, program: int = 0, name: str = "", bpm: float = 120.0
) -> list[mido.Message | mido.MetaMessage]:
    """Return a track of notes, given their times in seconds."""
    events = []
    for onset_s, offset_s, pitch, velocity in rows:
        note = {"channel": channel, "note": int(pitch)}
        events.append((offset_s, mido.Message("note_off", **note)))
        events.append((onset_s, mido.Message("note_on", velocity=int(velocity), **note)))
    track = [
        mido.MetaMessage("track_name", name=name),
        mido.Message("program_change", channel=channel, program=program),
    ]
    before = 0
    for time_s, message in sorted(events, key=lambda event: (event[0], event[1].type == "note_on")):
        tick = round(time_s * bpm / 60 * TICKS)
        track.append(message.copy(time=tick - before))
        before = tick
    return track


def conductor(*messages: mido.MetaMessage) -> list[mido.Message | mido.MetaMessage]:
    return list(messages)


def test_instruments_drums_and_roles(tmp_path: Path) -> None:
    bass = shift(tune(1), -24).notes
    drums = tune(2).notes.copy()
    drums[:, 2] = 38
    path = save(
        tmp_path / "Nobody - A Song (live).mid",
        conductor(),
        notes(tune(0).notes, program=73, name="Vocals"),
        notes(bass, channel=1, program=33),
        notes(drums, channel=9),
    )
    piece = read_midi(path, CC0)
    assert [(line.role, line.program) for line in piece.lines] == [
        ("melody", 73), ("bass", 33), ("drums", None),
    ]  # fmt: skip
    assert np.allclose(piece.lines[0].notes, tune(0).notes, atol=2e-3)
    assert piece.origin.work == "a song"
    assert piece.origin.licence is CC0


def test_beats_follow_tempo_and_metre(tmp_path: Path) -> None:
    path = save(
        tmp_path / "a.mid",
        conductor(
            mido.MetaMessage("time_signature", numerator=3, denominator=4),
            mido.MetaMessage("set_tempo", tempo=500_000),
            mido.MetaMessage("set_tempo", tempo=1_000_000, time=3 * TICKS),
        ),
        notes(np.array([[0, 3, 60, 90]], float)),
    )
    piece = read_midi(path)
    assert piece.beats_s[:6] == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.5, 3.5])
    assert piece.positions[:5].tolist() == [1, 2, 3, 1, 2]
    assert (piece.bar_beats, piece.compound) == (3, 0)


def test_compound_metres_count_dotted_beats(tmp_path: Path) -> None:
    path = save(
        tmp_path / "jig.mid",
        conductor(mido.MetaMessage("time_signature", numerator=6, denominator=8)),
        notes(np.array([[0, 6, 60, 90]], float)),
    )
    piece = read_midi(path)
    assert piece.beats_s[:4] == pytest.approx([0.0, 0.75, 1.5, 2.25])
    assert piece.positions[:4].tolist() == [1, 2, 1, 2]
    assert piece.compound == 1


@pytest.mark.parametrize(
    ("signature", "key"), [("C", None), ("Eb", Key("Eb", "major")), ("F#m", Key("F#", "minor"))]
)
def test_key_signatures_other_than_c_major_are_read(
    tmp_path: Path, signature: str, key: Key | None
) -> None:
    path = save(
        tmp_path / "a.mid",
        conductor(mido.MetaMessage("key_signature", key=signature)),
        notes(tune().notes),
    )
    assert read_midi(path).key == key


def test_the_pedal_is_kept(tmp_path: Path) -> None:
    track = notes(np.array([[0, 1, 60, 90]], float))
    track.insert(2, mido.Message("control_change", control=64, value=127))
    track.append(mido.Message("control_change", control=64, value=0, time=TICKS))
    piece = read_midi(save(tmp_path / "a.mid", conductor(), track))
    assert piece.lines[0].pedal.tolist() == [[0.0, 127.0], [1.5, 0.0]]


def test_damaged_files_are_counted_by_reason(tmp_path: Path) -> None:
    good = save(tmp_path / "b" / "One.mid", conductor(), notes(tune(0, 300).notes))
    shutil.copy(good, tmp_path / "b" / "One (2).MID")
    save(tmp_path / "c" / "One in F.mid", conductor(), notes(shift(tune(0, 300), 5).notes))
    slower = tune(0, 300, beat_s=0.6).notes
    save(tmp_path / "c" / "One slower.mid", conductor(), notes(slower))
    save(tmp_path / "Other.kar", conductor(), notes(tune(1, 300).notes, program=25))
    save(tmp_path / "empty.mid", conductor())
    save(tmp_path / "scrap.mid", conductor(), notes(tune(2, 9).notes))
    drone = tune(3).notes
    drone[:, 2] = 60
    save(tmp_path / "one note.mid", conductor(), notes(drone))
    (tmp_path / "torn.mid").write_bytes(good.read_bytes()[:300])
    (tmp_path / "page.mid").write_text("<html>404</html>")
    (tmp_path / "huge.mid").write_bytes(bytes(MAX_BYTES + 1))
    (tmp_path / "readme.txt").write_text("no music")
    report = SurveyReport()
    kept = list(sift(list_midi(tmp_path, CC0), report))
    assert [piece.name for piece in kept] == ["Other.kar", "One (2).MID"]
    assert report.entries == 11
    assert report.dropped == {"unreadable": 3, "has_music": 3, "duplicate": 3}
    assert report.lines == {}
    assert report.marks["deadpan"] == 2


def test_an_unstated_licence_does_not_allow_weights(tmp_path: Path) -> None:
    save(tmp_path / "a.mid", conductor(), notes(tune(0, 300).notes))
    report = SurveyReport()
    assert not list(sift(list_midi(tmp_path), report, only_free=True))
    assert report.dropped == {"allows_weights": 1}
    assert len(list(sift(list_midi(tmp_path, CC0), only_free=True))) == 1


def test_repairs_are_counted(tmp_path: Path) -> None:
    low = tune(1, 300).notes
    low[:5, 2] = 5
    helicopter = notes(tune(2).notes, channel=2, program=125)
    doubled = notes(shift(tune(0, 300), 12).notes, channel=3, program=48)
    path = tmp_path / "a.mid"
    save(path, conductor(), notes(tune(0, 300).notes), notes(low, channel=1), helicopter, doubled)
    report = SurveyReport()
    (piece,) = sift(list_midi(tmp_path), report)
    assert len(piece.lines) == 2
    assert report.lines == {"drop_effects": 1, "drop_duplicate_lines": 1}
    assert report.notes["drop_odd_notes"] == 5
    assert report.notes["drop_effects"] == len(tune(2).notes)
    assert report.hours == pytest.approx(float(piece.lines[0].notes[:, 1].max()) / 3600, abs=0.005)


def test_a_tempo_without_end_does_not_hang(tmp_path: Path) -> None:
    path = save(
        tmp_path / "a.mid",
        conductor(mido.MetaMessage("set_tempo", tempo=1)),
        notes(tune().notes),
    )
    with pytest.raises(ValueError, match=r"a\.mid"):
        read_midi(path)
