"""Corpora of scores, read as pieces."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from model_zoo.training.sources.groove import alone, read_grooves
from model_zoo.training.sources.music21_corpus import CLAIMED, list_music21
from model_zoo.training.sources.openewld import list_openewld
from model_zoo.training.sources.openscore import list_openscore
from model_zoo.training.sources.piece import CC0, PUBLIC_DOMAIN
from model_zoo.training.sources.scores import QUARTERS_PER_S, VELOCITY
from model_zoo.training.sources.survey import SurveyReport, sift
from tests.unit.model_zoo.training.rhythm.pieces import attributes, note, study, write
from tests.unit.model_zoo.training.sources.test_midi_folder import notes

BEAT_S = 1 / QUARTERS_PER_S


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_a_score_is_played_as_it_is_written(tmp_path: Path) -> None:
    archive = pack(
        tmp_path / "lieder.zip",
        {"scores/Nobody,_N./Six_Songs,_Op.1/3_Der_Mond/lc1.musicxml": study(), "LICENSE": b"CC0"},
    )
    (entry,) = list_openscore(archive)
    piece = entry.read()
    assert piece.deadpan
    assert piece.origin.licence == CC0
    assert piece.origin.work == "3 der mond"
    assert [line.role for line in piece.lines] == ["melody", "piano"]
    assert set(piece.lines[0].notes[:, 3]) == {VELOCITY}
    assert piece.lines[0].notes[:2, 0] == pytest.approx([0.0, BEAT_S / 2])
    assert piece.beats_s[:3] == pytest.approx([0.0, BEAT_S, 2 * BEAT_S])
    assert piece.positions[:5].tolist() == [1, 2, 3, 4, 1]


def test_an_irregular_metre_leaves_no_beats(tmp_path: Path) -> None:
    five = attributes("<time><beats>5</beats><beat-type>4</beat-type></time>")
    bars = [five + note("C4", 10), *[note("D4", 10)] * 7]
    archive = pack(tmp_path / "quartets.zip", {"scores/A/B/c.musicxml": write(bars)})
    (entry,) = list_openscore(archive)
    piece = entry.read()
    assert len(piece.lines[0].notes) == 8
    assert not len(piece.beats_s)


def test_lead_sheets_have_chords(tmp_path: Path) -> None:
    def harmony(step: str, kind: str) -> str:
        return f"<harmony><root><root-step>{step}</root-step></root><kind>{kind}</kind></harmony>"

    bars = [
        attributes() + harmony("C", "major") + note("E4", 4) + harmony("A", "minor-seventh"),
        harmony("G", "dominant") + note("D4", 8),
    ]
    bars[0] += note("C4", 4)
    archive = pack(tmp_path / "ewld.zip", {"dataset/A-B/A_Song/A_Song.xml": write(bars)})
    (entry,) = list_openewld(archive)
    piece = entry.read()
    assert [chord.label for chord in piece.chords] == ["C:maj", "A:min7", "G:7"]
    assert [chord.start_s for chord in piece.chords] == pytest.approx([0, 2 * BEAT_S, 4 * BEAT_S])
    assert piece.chords[-1].end_s == pytest.approx(8 * BEAT_S)
    assert piece.origin.work == "a song"


def test_groove_performances_are_pieces(tmp_path: Path) -> None:
    import mido

    hits = np.array([[k * 0.5, k * 0.5 + 0.1, [36, 22, 38, 22][k % 4], 60 + k] for k in range(32)])
    midi = mido.MidiFile(ticks_per_beat=480)
    midi.tracks.append(mido.MidiTrack(notes(hits, channel=9)))
    data = io.BytesIO()
    midi.save(file=data)
    table = (
        "drummer,session,id,style,bpm,beat_type,time_signature,midi_filename\n"
        "d1,d1/s1,d1/s1/7,funk,120,beat,4-4,d1/7.mid\n"
    )
    archive = pack(
        tmp_path / "groove.zip", {"info.csv": table.encode(), "d1/7.mid": data.getvalue()}
    )
    (groove,) = read_grooves(archive)
    piece = alone(groove)
    assert piece.lines[0].notes[:4, 2].tolist() == [36, 42, 38, 42]
    assert piece.lines[0].notes[:4, 0] == pytest.approx([0, 0.5, 1.0, 1.5])
    assert piece.origin.work == "groove d1/s1/7"
    assert not piece.deadpan


# music21's corpus

TUNE = """X:1
T:The Merry Tester -- Reel
M:4/4
L:1/8
K:G
GABc dedB|dedB dedB|c2ec B2dB|c2A2 A2BA|
GABc dedB|dedB dedB|c2ec B2dB|A2F2 G4:|
"""


def test_the_corpus_is_read_by_collection(tmp_path: Path) -> None:
    for name in ("bach/bwv1.musicxml", "palestrina/agnus.musicxml", "webern/op21.musicxml"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(study())
    claimed = study().replace(b"<part ", b"<rights>(c) Copyright 2004</rights><part ", 1)
    (tmp_path / "bach" / "bwv2.musicxml").write_bytes(claimed)
    pieces = [entry.read() for entry in list_music21(tmp_path)]
    assert [piece.name for piece in pieces] == ["bach/bwv1.musicxml", "bach/bwv2.musicxml"]
    assert [piece.origin.licence for piece in pieces] == [PUBLIC_DOMAIN, CLAIMED]
    report = SurveyReport()
    assert len(list(sift(list_music21(tmp_path), report, only_free=True))) == 1
    assert report.dropped == {"allows_weights": 1}


def test_tunes_are_converted(tmp_path: Path) -> None:
    (tmp_path / "ryansMammoth").mkdir()
    (tmp_path / "ryansMammoth" / "Tester.abc").write_text(TUNE)
    (entry,) = list_music21(tmp_path)
    piece = entry.read()
    assert piece.origin.work == "merry tester"
    assert piece.lines[0].notes[:4, 2].tolist() == [67, 69, 71, 72]
    assert piece.lines[0].notes[:4, 0] == pytest.approx([k * BEAT_S / 2 for k in range(4)])


def test_the_real_corpus_has_mozart_and_no_palestrina() -> None:
    names = [entry.name for entry in list_music21()]
    assert len(names) > 1000
    assert any(name.startswith("mozart/") for name in names)
    assert not any(name.startswith("palestrina/") for name in names)
