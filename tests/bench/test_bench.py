"""The bench runs without recordings and reports a missed target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from inference_service.midi.writer import encode_performance
from inference_service.music.events import NoteEvent
from model_zoo.training.evaluate.metrics import as_heard
from tests.bench import __main__ as bench
from tests.bench import asap, notation, peers, voice
from tests.bench.table import Row, format_table
from tests.bench.voice import as_written, compare_written
from tests.bench.written import (
    WrittenNote,
    WrittenScore,
    build_written_score,
    parse_musicxml,
)
from tests.factories import build_scale, perform


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Restore torch's number of threads, which the bench sets to all cores."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_smoke_meets_every_target(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--smoke"]) == 0
    printed = capsys.readouterr().out
    assert all(section.TITLE in printed for section in bench.SECTIONS.values())
    assert "MISSED" not in printed


def test_without_recordings_it_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "DATA", tmp_path / "absent")
    assert bench.main([]) == 0
    assert capsys.readouterr().out.count("NOTABOT_DATA") == len(bench.SECTIONS)


@pytest.mark.parametrize(("measured", "code"), [(0.5, 1), (0.7, 0)])
def test_a_missed_target_fails(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    measured: float,
    code: int,
) -> None:
    monkeypatch.setattr(voice, "smoke", lambda: iter([Row("figure", measured, 0.65)]))
    assert bench.main(["--smoke", "--only", "voice"]) == code
    assert ("MISSED" in capsys.readouterr().out) == bool(code)


def test_speed_targets_are_upper_bounds() -> None:
    assert Row("speed", 0.1, 0.15, at_most=True).met
    assert not Row("speed", 0.2, 0.15, at_most=True).met
    assert Row("figure without target", 0.0).met


def test_a_figure_that_could_not_be_measured_is_a_dash() -> None:
    assert Row("peer: skipped", float("nan")).cells == ("peer: skipped", "-", "", "")


def test_tables_are_markdown() -> None:
    lines = format_table("Title", [Row("a", 0.5, 0.4), Row("longer", 1.0)]).splitlines()
    assert lines[0] == "## Title"
    assert len({line.count("|") for line in lines[2:]}) == 1
    assert len({len(line) for line in lines[2:]}) == 1


def test_written_pitches_are_judged_as_intervals() -> None:
    sung = as_heard([NoteEvent(n.onset_s, n.offset_s, n.pitch, 80, 45.0) for n in build_scale()])
    whole = as_written(build_scale())
    assert compare_written(sung, whole).f1 == 1.0
    assert compare_written(sung, whole + np.array([0.0, 0.0, 1.0])).f1 == 1.0
    backwards = whole.copy()
    backwards[:, 2] = whole[::-1, 2]
    assert compare_written(sung, backwards).f1 < 0.5


def build_waltz(**changed: object) -> WrittenScore:
    """Eight quarters in E flat major in 3/4, four on each staff, with fields changed."""
    notes = [
        WrittenNote(k, k + 1, 63, staff=1 + k // 4, voice=1, spelling="Eb" if k else "D#")
        for k in range(8)
    ]
    parts: dict[str, object] = {"notes": notes, "times": [(0.0, 3, 4)], "keys": [(0.0, -3)]}
    return build_written_score(**{**parts, "bars": [], **changed})  # type: ignore[arg-type]


def test_notation_tells_what_is_right_of_matched_notes() -> None:
    truth = build_waltz()
    figures = notation.compare(truth, truth)
    assert [figures[name] for name in notation.RATES] == [0.0] * 6
    assert [figures[name] for name in notation.ACCURACIES] == [100.0] * 4
    one_staff = [WrittenNote(k, k + 1, 63, 1, 1, "Eb") for k in range(8)]
    figures = notation.compare(
        truth, build_waltz(notes=one_staff, times=[(0.0, 3, 4), (6.0, 4, 4)], keys=[(4.0, -3)])
    )
    assert figures["mean"] == 0.0
    accuracies = [figures[name] for name in notation.ACCURACIES]
    assert accuracies == [75.0, 50.0, 50.0, 87.5]


def test_a_score_without_notes_is_all_missing() -> None:
    figures = notation.compare(build_waltz(), build_waltz(notes=[]))
    assert figures["missing"] == 100.0
    assert figures["metre"] == 0.0


def test_pieces_are_spread() -> None:
    names = [str(k) for k in range(10)]
    assert notation.spread(names, 3) == ["0", "3", "6"]
    assert notation.spread(names, None) == notation.spread(names, 20) == names


def test_pieces_to_tune_on_are_none_of_those_reported(data_dir: Path) -> None:
    archive = data_dir / notation.ARCHIVE
    tuning, reported = (asap.list_pieces(archive, split) for split in (asap.TUNING, asap.REPORTED))
    assert not set(tuning) & set(reported)
    assert sorted(tuning + reported) == asap.list_pieces(archive)
    assert abs(len(tuning) - len(reported)) <= 10


def test_a_piece_has_its_repeats_and_its_beats(data_dir: Path) -> None:
    piece = asap.load_piece(data_dir / notation.ARCHIVE, "Beethoven/Piano_Sonatas/11-3")
    assert len(piece.truth.notes) == 1933  # as many as in midi_score.mid, which has every repeat
    assert set(piece.downbeats_s) < set(piece.beats_s)
    assert piece.truth.time_at(piece.truth.notes.onsets).tolist() == [[3, 4]] * 1933
    figures = notation.compare(piece.truth, piece.truth)
    assert figures["mean"] == 0.0


TWICE = b"""<score-partwise><part>
<measure><attributes><divisions>1</divisions></attributes>
<note><pitch><step>C</step><octave>4</octave></pitch><duration>4</duration></note></measure>
<measure><note><pitch><step>D</step><octave>4</octave></pitch><duration>4</duration></note>
<barline><repeat direction="backward"/></barline></measure></part></score-partwise>"""


@pytest.mark.parametrize("played", [[60, 62, 60, 62], [60, 62]], ids=["repeated", "not repeated"])
def test_the_truth_has_the_repeats_of_the_performance(played: list[int]) -> None:
    performance = perform({"piano": [(4.0 * k, 4.0, pitch) for k, pitch in enumerate(played)]})
    truth = asap.play_as_performed(parse_musicxml(TWICE), encode_performance(performance))
    assert list(truth.notes.pitches) == played


@pytest.mark.parametrize("peer", ["musescore", "music21"])
def test_peers_write_what_is_played_to_the_beat(peer: str, tmp_path: Path) -> None:
    if peer == "musescore" and peers.find_musescore() is None:
        pytest.skip("MuseScore 3 is not installed")
    scale = [(float(k), 1.0, pitch) for k, pitch in enumerate((60, 62, 64, 65, 67, 69, 71, 72))]
    midi = encode_performance(perform({"piano": scale}))
    notate = {"musescore": peers.notate_by_musescore, "music21": peers.notate_by_music21}[peer]
    first, cached = notate(midi, tmp_path / "written"), notate(b"", tmp_path / "written")
    for score in (first, cached):
        assert list(score.notes.pitches) == [pitch for _, _, pitch in scale]
        np.testing.assert_allclose(score.notes.onsets, [onset for onset, _, _ in scale])
        np.testing.assert_allclose(np.diff(score.notes.offsets), 1.0)
