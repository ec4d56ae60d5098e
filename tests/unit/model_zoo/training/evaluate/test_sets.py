"""Sets: labels in each format, and deterministic rendering."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pretty_midi
import pytest
import soundfile

from inference_service.music.events import NoteEvent, Part
from inference_service.music.families import FAMILIES
from model_zoo.training.evaluate.convert import CLASS_OF_KEY, from_parts, from_take, to_strokes
from model_zoo.training.evaluate.metrics import DRUM_CLASSES
from model_zoo.training.evaluate.sets import SETS, iterate_clips
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.sound.soundfonts import HELD_BACK_SOUNDFONT
from model_zoo.training.tagger.render import render
from model_zoo.training.tagger.scene import Scene, Track
from model_zoo.training.tagger.take import Take
from tests.unit.model_zoo.training.evaluate.tags import notes_of, strokes_of

JAMS = {
    "annotations": [
        {"namespace": "pitch_contour", "data": {"time": [0.1]}},
        {"namespace": "note_midi", "data": [{"time": 2.0, "duration": 0.5, "value": 44.25}]},
        {"namespace": "note_midi", "data": []},
        {"namespace": "note_midi", "data": [{"time": 1.0, "duration": 0.25, "value": 51.5}]},
        {"namespace": "chord", "data": [{"time": 0.0, "duration": 1.0, "value": "C:maj"}]},
    ]
}


def write_sound(path: Path, length_s: float = 1.0) -> None:
    """Write one second of a tone."""
    path.parent.mkdir(exist_ok=True)
    time_s = np.arange(round(length_s * 16_000)) / 16_000
    soundfile.write(path, 0.1 * np.sin(2 * np.pi * 440 * time_s), 16_000)


def family(name: str) -> float:
    return float(FAMILIES.index(name))


def test_maps(tmp_path: Path) -> None:
    write_sound(tmp_path / "piano_dev" / "a.flac")
    (tmp_path / "piano_dev" / "a.tsv").write_text(
        "# onset,offset,note,velocity\n0.5\t1.25\t38\t53\n0.75\t1.0\t60\t90\n"
    )
    (clip,) = iterate_clips("piano_dev", tmp_path)
    assert clip.name == "a"
    assert notes_of(clip.labels).tolist() == [
        [0.5, 1.25, 38, 53, family("piano")],
        [0.75, 1.0, 60, 90, family("piano")],
    ]
    assert clip.labels.strokes is None
    assert clip.load().samples.shape == (1, 16_000)


def test_ssvd(tmp_path: Path) -> None:
    write_sound(tmp_path / "voice_dev" / "1.flac")
    (tmp_path / "voice_dev" / "1.txt").write_text("0.13 0.25 51.06\n")
    (clip,) = iterate_clips("voice_dev", tmp_path)
    onset_s, offset_s, pitch, velocity, sung = notes_of(clip.labels)[0]
    assert (onset_s, offset_s, pitch, sung) == (0.13, 0.25, 51.06, family("voice"))
    assert np.isnan(velocity)


def test_mixes_are_melodies_over_held_back_bands(tmp_path: Path) -> None:
    write_sound(tmp_path / "voice_dev" / "1.flac", 3.0)
    (tmp_path / "voice_dev" / "1.txt").write_text("0.13 0.25 51.06\n")
    for number in range(3):
        folder = tmp_path / "stems_dev" / str(number)
        folder.mkdir(parents=True)
        for stem in ("vocals", "drums", "bass", "other"):
            pitch_hz = 100.0 if number == 2 and stem == "bass" else 0.0
            write_opus(folder / f"{stem}.opus", pitch_hz)
    (clip,) = iterate_clips("mixes", tmp_path)
    (again,) = iterate_clips("mixes", tmp_path)
    mix = clip.load()
    assert mix.samples.shape == (2, 3 * 44_100)
    np.testing.assert_array_equal(again.load().samples, mix.samples)
    assert notes_of(clip.labels)[0, 2] == 51.06
    spectrum = np.abs(np.fft.rfft(mix.samples[0, 44_100 // 2 : -44_100 // 2]))
    melody, bass = spectrum[2 * 440], spectrum[2 * 100]
    assert bass / melody == pytest.approx(1.0, abs=0.15), "of one level, over and over"
    assert spectrum[2 * 300] < 0.05 * melody


def write_opus(path: Path, pitch_hz: float) -> None:
    """Write one second of a tone, or of silence."""
    time_s = np.arange(48_000) / 48_000
    tone = (0.2 * np.sin(2 * np.pi * pitch_hz * time_s)).astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.stack([tone, tone]), "fltp", "stereo")
        frame.rate = 48_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def test_guitarset_joins_the_strings(tmp_path: Path) -> None:
    write_sound(tmp_path / "guitar_dev" / "00_comp_mic.flac")
    (tmp_path / "guitar_dev" / "00_comp.jams").write_text(json.dumps(JAMS))
    (clip,) = iterate_clips("guitar_dev", tmp_path)
    assert clip.name == "00_comp"
    assert notes_of(clip.labels)[:, :3].tolist() == [[1.0, 1.25, 51.5], [2.0, 2.5, 44.25]]
    assert set(notes_of(clip.labels)[:, 4]) == {family("guitar")}


def test_mdb_drums_has_five_classes(tmp_path: Path) -> None:
    write_sound(tmp_path / "drums_dev" / "Rock_drum.flac")
    (tmp_path / "drums_dev" / "Rock_class.txt").write_text(
        "0.01 \t TT \n0.50 \t OT \n0.52 \t SD \n0.40 \t CY \n\n"
    )
    (clip,) = iterate_clips("drums_dev", tmp_path)
    assert clip.labels.notes is None
    named = [(t, DRUM_CLASSES[int(kind)]) for t, kind in strokes_of(clip.labels).tolist()]
    assert named == [(0.01, "TT"), (0.4, "CY"), (0.52, "SD")]


def test_a_folder_of_sounds_and_midi(tmp_path: Path) -> None:
    midi = pretty_midi.PrettyMIDI()
    piano, bass, drums = (
        pretty_midi.Instrument(program, is_drum)
        for program, is_drum in ((0, False), (33, False), (0, True))
    )
    piano.notes = [pretty_midi.Note(90, 60, 0.0, 0.25), pretty_midi.Note(80, 64, 0.5, 2.0)]
    piano.control_changes = [
        pretty_midi.ControlChange(64, 127, 0.125),
        pretty_midi.ControlChange(64, 0, 0.75),
    ]
    bass.notes = [pretty_midi.Note(70, 40, 0.25, 0.5)]
    drums.notes = [pretty_midi.Note(100, key, 0.5, 0.6) for key in (36, 37, 46)]
    midi.instruments = [piano, bass, drums]
    write_sound(tmp_path / "a.wav")
    midi.write(str(tmp_path / "a.mid"))
    write_sound(tmp_path / "without-labels.wav")
    (clip,) = iterate_clips(f"folder:{tmp_path}", tmp_path)
    np.testing.assert_allclose(
        notes_of(clip.labels),
        [
            [0.0, 0.75, 60, 90, family("piano")],  # held by the pedal
            [0.25, 0.5, 40, 70, family("bass")],
            [0.5, 1.0, 64, 80, family("piano")],  # cut at the end of the sound
        ],
        atol=2e-3,
    )
    assert strokes_of(clip.labels)[:, 1].tolist() == [
        DRUM_CLASSES.index("KD"),
        DRUM_CLASSES.index("HH"),
    ]


def test_published_recordings(tmp_path: Path) -> None:
    write_sound(tmp_path / "MUS" / "MAPS_MUS-bach_ENSTDkCl.wav")
    (tmp_path / "MUS" / "MAPS_MUS-bach_ENSTDkCl.txt").write_text(
        "OnsetTime\tOffsetTime\tMidiPitch\n0.5\t0.75\t60\n0.25\t2.0\t48\n"
    )
    (tmp_path / "MUS" / "MAPS_MUS-without_sound.txt").write_text(
        "OnsetTime\tOffsetTime\tMidiPitch\n0.5\t0.75\t60\n"
    )
    (clip,) = iterate_clips(f"maps:{tmp_path}", tmp_path)
    assert clip.name == "MAPS_MUS-bach_ENSTDkCl"
    assert notes_of(clip.labels)[:, :3].tolist() == [[0.25, 1.0, 48], [0.5, 0.75, 60]]
    assert np.isnan(notes_of(clip.labels)[:, 3]).all()  # velocities are unknown
    assert set(notes_of(clip.labels)[:, 4]) == {family("piano")}


def test_training_data_is_excluded(tmp_path: Path) -> None:
    header = "start_time,end_time,instrument,note,start_beat,end_beat,note_value\n"
    for part in ("train", "test"):
        write_sound(tmp_path / f"{part}_data" / f"{part}.wav")
        (tmp_path / f"{part}_labels").mkdir()
        (tmp_path / f"{part}_labels" / f"{part}.csv").write_text(
            header + "4410,22050,41,67,0,1,Quarter\n"
        )
    (clip,) = iterate_clips(f"musicnet:{tmp_path}", tmp_path)
    assert clip.name.endswith("test")
    np.testing.assert_allclose(notes_of(clip.labels)[:, :3], [[0.1, 0.5, 67]])
    assert notes_of(clip.labels)[0, 4] == family("strings")


def test_missing_recordings_are_reported(tmp_path: Path) -> None:
    for name in ("piano_dev", f"folder:{tmp_path}", f"maps:{tmp_path}"):
        with pytest.raises(FileNotFoundError, match=str(tmp_path)):
            list(iterate_clips(name, tmp_path))
    with pytest.raises(ValueError, match="piano_dev"):
        iterate_clips("pianos", tmp_path)


def test_parts_become_tags() -> None:
    tags = from_parts(
        [
            Part("guitar", "Guitar", (NoteEvent(1.0, 2.0, 60, 70, 25.0),), 24),
            Part("bass", "Bass", (NoteEvent(0.5, 2.0, 40, 60),), 33),
            Part("drums", "Drums", (NoteEvent(0.2, 0.3, 39), NoteEvent(0.4, 0.5, 38)), None, True),
        ]
    )
    assert notes_of(tags).tolist() == [
        [0.5, 2.0, 40.0, 60.0, family("bass")],
        [1.0, 2.0, 60.25, 70.0, family("guitar")],
    ]
    assert strokes_of(tags).tolist() == [[0.4, DRUM_CLASSES.index("SD")]]
    assert [len(rows) for rows in (notes_of(from_parts([])), strokes_of(from_parts([])))] == [0, 0]


def test_takes_and_keys_agree_on_drums() -> None:
    kinds = np.array([[0.1 * k, k, 90] for k in range(8)], float)
    tags = from_take(Take(np.zeros(100, np.float32), np.zeros((0, 5)), kinds))
    named = [DRUM_CLASSES[int(kind)] for kind in strokes_of(tags)[:, 1]]
    assert named == ["KD", "SD", "HH", "HH", "TT", "CY", "CY"]
    assert len(CLASS_OF_KEY) == 20
    assert to_strokes([1.0], [37]).shape == (0, 2)


def test_the_soundfont_that_is_given_plays_everything() -> None:
    if not HELD_BACK_SOUNDFONT.exists():
        pytest.skip("csound-soundfont is not installed")
    notes = np.array([[0.2, 0.8, 60, 90]])
    tracks = (
        Track(0, notes, np.zeros((0, 2))),
        Track(52, notes + np.array([0, 0, 7, 0]), np.zeros((0, 2))),
        Track(0, np.array([[0.5, 0.6, 38, 100]]), np.zeros((0, 2)), is_drum=True),
    )
    scene = Scene("three notes", "band", tracks, 1.0, np.zeros((0, 2)))
    first, second = (render(scene, np.random.default_rng(3), HELD_BACK_SOUNDFONT) for _ in range(2))
    np.testing.assert_array_equal(first.samples, second.samples)
    assert first.duration_s <= 3.0 + 1 / RATE_HZ
    assert np.abs(first.samples[: round(0.15 * RATE_HZ)]).max() < 0.01
    labels = from_take(first)
    np.testing.assert_allclose(notes_of(labels)[:, :4], [[0.2, 0.8, 60, 80], [0.2, 0.8, 67, 80]])
    assert strokes_of(labels).tolist() == [[0.5, DRUM_CLASSES.index("SD")]]


def test_the_development_recordings_are_read(data_dir: Path) -> None:
    counts = {name: len(list(iterate_clips(name, data_dir))) for name in SETS[:4]}
    assert counts == {"piano_dev": 21, "voice_dev": 67, "guitar_dev": 2, "drums_dev": 6}
