"""Guitar Pro files that are written by the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference_service.music.events import Key
from model_zoo.training.sources.filters import mark_deadpan
from model_zoo.training.sources.guitarpro import (
    list_guitar_pro,
    read_guitar_pro,
)
from model_zoo.training.sources.piece import Piece
from model_zoo.training.sources.survey import SurveyReport, sift

gp = pytest.importorskip("guitarpro", reason="PyGuitarPro comes with the extra 'training'")


def build_song(bars: int = 1, title: str = "Étude") -> Any:
    """Return a song for one guitar in 4/4 at 120 bpm, with empty bars."""
    song = gp.models.Song(title=title, tempo=120)
    song.tracks[0].name = "Guitar"
    for _ in range(bars - 1):
        song.newMeasure()
    start = 960
    for number, header in enumerate(song.measureHeaders):
        header.number, header.start = number + 1, start
        start += header.length
    return song


def play(
    song: Any,
    bar: int,
    frets: list[int | None],
    *,
    track: int = 0,
    string: int = 1,
    value: int = 4,
    kind: str = "normal",
) -> list[Any]:
    """Write notes of equal duration into a bar and return them."""
    measure = song.tracks[track].measures[bar]
    voice = measure.voices[0]
    notes = []
    for fret in frets:
        beat = gp.models.Beat(voice, duration=gp.models.Duration(value=value))
        beat.status = gp.models.BeatStatus.rest if fret is None else gp.models.BeatStatus.normal
        if fret is not None:
            note = gp.models.Note(beat, value=fret, string=string, type=gp.models.NoteType[kind])
            beat.notes.append(note)
            notes.append(note)
        voice.beats.append(beat)
    return notes


def add_track(song: Any, *, program: int, percussion: bool = False) -> int:
    channel = gp.models.MidiChannel(
        channel=9 if percussion else len(song.tracks), instrument=program
    )
    measures = [gp.models.Measure(None, header) for header in song.measureHeaders]
    track = gp.models.Track(song, number=len(song.tracks) + 1, measures=measures, channel=channel)
    track.isPercussionTrack = percussion
    if percussion:
        track.strings = [gp.models.GuitarString(n, 0) for n in range(1, 7)]
    for measure in measures:
        measure.track = track
    song.tracks.append(track)
    return len(song.tracks) - 1


def save(song: Any, folder: Path, name: str = "song.gp5") -> Piece:
    path = folder / name
    gp.write(song, str(path))
    return read_guitar_pro(path)


def rows(piece: Piece, line: int = 0) -> list[tuple[float, float, float]]:
    return [
        (round(float(row[0]), 3), round(float(row[1]), 3), float(row[2]))
        for row in piece.lines[line].notes
    ]


@pytest.mark.parametrize("name", ["song.gp3", "song.gp4", "song.gp5"])
def test_notes_beats_and_names(tmp_path: Path, name: str) -> None:
    song = build_song()
    play(song, 0, [0, 2, None, 3])
    piece = save(song, tmp_path, name)
    assert rows(piece) == [(0.0, 0.5, 64), (0.5, 1.0, 66), (1.5, 2.0, 67)]
    assert piece.beats_s.tolist() == [0.0, 0.5, 1.0, 1.5]
    assert piece.positions.tolist() == [1, 2, 3, 4]
    assert (piece.lines[0].program, piece.lines[0].name) == (25, "Guitar")
    assert piece.deadpan
    assert piece.origin.work == "etude"
    assert not piece.origin.licence.allows_weights


def test_repeats_and_tempos_go_together(tmp_path: Path) -> None:
    song = build_song(3)
    song.measureHeaders[1].isRepeatOpen = True
    song.measureHeaders[1].repeatClose = 1
    for bar in range(3):
        play(song, bar, [bar] * 4)
    change = gp.models.MixTableChange(tempo=gp.models.MixTableItem(value=60))
    song.tracks[0].measures[1].voices[0].beats[2].effect.mixTableChange = change
    piece = save(song, tmp_path)
    assert [pitch - 64 for _, _, pitch in rows(piece)] == [0] * 4 + [1] * 8 + [2] * 4
    steps = np.diff(piece.beats_s)
    assert np.allclose(steps, [0.5] * 6 + [1.0, 1.0] + [0.5] * 2 + [1.0, 1.0] + [1.0] * 3)


def test_ties_and_let_ring_lengthen(tmp_path: Path) -> None:
    song = build_song(2)
    play(song, 0, [None, None, None, 5])
    play(song, 1, [5], kind="tie")
    ringing, *_ = play(song, 1, [3, None, None], string=2)
    ringing.effect.letRing = True
    piece = save(song, tmp_path)
    assert rows(piece) == [(1.5, 2.5, 69), (2.5, 4.0, 62)]


def test_short_and_dead_notes(tmp_path: Path) -> None:
    song = build_song()
    muted, short = play(song, 0, [0, 0])
    muted.effect.palmMute = True
    short.effect.staccato = True
    play(song, 0, [0], kind="dead")
    piece = save(song, tmp_path)
    assert rows(piece) == [(0.0, 0.25, 64), (0.5, 0.75, 64)]


def test_ornaments_become_notes(tmp_path: Path) -> None:
    song = build_song()
    graced, trilled, picked = play(song, 0, [5, 5, 5])
    graced.effect.grace = gp.models.GraceEffect(fret=7)
    sixteenth = gp.models.Duration(value=16)
    trilled.effect.trill = gp.models.TrillEffect(fret=7, duration=sixteenth)
    picked.effect.tremoloPicking = gp.models.TremoloPickingEffect(duration=sixteenth)
    piece = save(song, tmp_path)
    assert rows(piece)[:2] == [(0.0, 0.08, 71), (0.08, 0.5, 69)]
    assert [pitch for _, _, pitch in rows(piece)[2:]] == [69, 71, 69, 71, 69, 69, 69, 69]


def test_dynamics_accents_and_ghosts(tmp_path: Path) -> None:
    song = build_song()
    plain, ghost, accent, soft = play(song, 0, [0, 0, 0, 0])
    ghost.effect.ghostNote = True
    accent.effect.accentuatedNote = True
    soft.velocity = gp.models.Velocities.piano
    velocities = save(song, tmp_path).lines[0].notes[:, 3].tolist()
    assert velocities == [95, 63, 107, 47]
    assert plain.velocity == 95


def test_capo_and_harmonics(tmp_path: Path) -> None:
    song = build_song()
    song.tracks[0].offset = 2
    twelfth, seventh, pinched, _ = play(song, 0, [12, 7, 3, 0])
    twelfth.effect.harmonic = gp.models.NaturalHarmonic()
    seventh.effect.harmonic = gp.models.NaturalHarmonic()
    pinched.effect.harmonic = gp.models.PinchHarmonic()
    pitches = [pitch for _, _, pitch in rows(save(song, tmp_path))]
    assert pitches == [78, 85, 81, 66]


def test_triplet_feel_swings(tmp_path: Path) -> None:
    song = build_song()
    song.measureHeaders[0].tripletFeel = gp.models.TripletFeel.eighth
    play(song, 0, [0] * 8, value=8)
    onsets = [onset for onset, _, _ in rows(save(song, tmp_path))]
    assert onsets == [0.0, 0.333, 0.5, 0.833, 1.0, 1.333, 1.5, 1.833]


def test_drums_bass_and_changes_of_instrument(tmp_path: Path) -> None:
    song = build_song(2)
    for bar in range(2):
        play(song, bar, [0] * 4)
    change = gp.models.MixTableChange(instrument=gp.models.MixTableItem(value=30))
    song.tracks[0].measures[1].voices[0].beats[0].effect.mixTableChange = change
    drums, bass = add_track(song, program=0, percussion=True), add_track(song, program=33)
    play(song, 0, [36, 38, 36, 38], track=drums)
    play(song, 0, [0] * 4, track=bass, string=6)
    piece = save(song, tmp_path)
    assert [(line.role, line.program) for line in piece.lines] == [
        ("inner", 25), ("inner", 30), ("drums", None), ("bass", 33),
    ]  # fmt: skip
    assert [pitch for _, _, pitch in rows(piece, 2)] == [36, 38, 36, 38]


def test_muted_tracks_are_left_out(tmp_path: Path) -> None:
    song = build_song()
    play(song, 0, [0] * 4)
    song.tracks[0].isMute = True
    assert save(song, tmp_path).lines == ()


def test_compound_beats_and_keys(tmp_path: Path) -> None:
    song = build_song()
    header = song.measureHeaders[0]
    header.timeSignature.numerator, header.timeSignature.denominator.value = 6, 8
    header.keySignature = gp.models.KeySignature.EMinor
    play(song, 0, [0] * 6, value=8)
    piece = save(song, tmp_path)
    assert piece.beats_s.tolist() == [0.0, 0.75]
    assert (piece.compound, piece.bar_beats) == (1, 2)
    assert piece.key == Key("E", "minor")


def test_c_major_is_read_as_no_key(tmp_path: Path) -> None:
    song = build_song()
    play(song, 0, [0] * 4)
    assert save(song, tmp_path).key is None


def test_damaged_files_are_refused_and_counted(tmp_path: Path) -> None:
    song = build_song(8)
    for bar in range(8):
        play(song, bar, [(bar * 5 + k * k) % 12 for k in range(4)])
    assert mark_deadpan(save(song, tmp_path, "a.gp5")).deadpan
    (tmp_path / "torn.gp4").write_bytes((tmp_path / "a.gp5").read_bytes()[:900])
    (tmp_path / "other.gp5").write_bytes(b"BCFZ" + bytes(200))
    (tmp_path / "notes.txt").write_text("no tablature")
    with pytest.raises(ValueError, match=r"other\.gp5"):
        read_guitar_pro(tmp_path / "other.gp5")
    report = SurveyReport()
    assert [piece.name for piece in sift(list_guitar_pro(tmp_path), report)] == ["a.gp5"]
    assert report.dropped == {"unreadable": 2}
