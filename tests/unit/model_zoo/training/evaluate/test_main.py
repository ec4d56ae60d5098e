"""The command line, on a temporary folder and with an untrained network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile

from model_zoo.training.evaluate import __main__ as command
from model_zoo.training.evaluate import speed
from model_zoo.training.evaluate.speed import Agreement, Speed
from tests.factories import build_notes, build_scale


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A scale twice: labelled as a piano, and as a guitar with a drum."""
    path = tmp_path / "clips"
    path.mkdir()
    scale = build_scale()
    sound = build_notes(scale)
    for name, program in (("piano", 0), ("guitar", 24)):
        soundfile.write(path / f"{name}.flac", sound.mono(), sound.sample_rate_hz)
        midi, player = pretty_midi.PrettyMIDI(), pretty_midi.Instrument(program)
        player.notes = [pretty_midi.Note(80, n.pitch, n.onset_s, n.offset_s) for n in scale]
        midi.instruments.append(player)
        if program:
            drums = pretty_midi.Instrument(0, is_drum=True)
            drums.notes = [pretty_midi.Note(80, 38, 1.0, 1.1)]
            midi.instruments.append(drums)
        midi.write(str(path / f"{name}.mid"))
    return path


def test_measures_a_folder(
    folder: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(command, "CACHE", tmp_path / "cache")
    target = tmp_path / "figures.json"
    arguments = [f"folder:{folder}", "--weights", str(weights), "--json", str(target)]
    assert command.main(arguments) == 0
    printed = capsys.readouterr().out
    lines = [line for line in printed.splitlines() if line.startswith("| ")]
    assert [line.split()[1] for line in lines[1:3]] == ["notabot-notes", "basic-pitch"]
    figures = json.loads(target.read_text())["sets"][f"folder:{folder}"]
    assert figures["clips"] == 2
    peer = figures["systems"]["basic-pitch"]
    assert peer["figures"]["pitch"]["value"] > 0.7
    assert "family" not in peer["figures"]
    assert set(peer["clips"]) == {"piano", "guitar"}
    ours = figures["systems"]["notabot-notes"]
    assert np.array(ours["totals"]["drums"])[1, 2] == 1
    assert np.array(ours["totals"]["families"])[[0, 3], 2].tolist() == [len(build_scale())] * 2
    assert f"{peer['figures']['pitch']['value']:.3f}" in printed
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 1  # both sounds are equal
    command.main(arguments)
    assert capsys.readouterr().out == printed


def test_missing_sets_are_skipped(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["piano_dev", "--weights", str(weights), "--data", str(tmp_path), "--peers"]
    assert command.main(arguments) == 0
    assert "skipped: no recordings" in capsys.readouterr().out


def test_speed_is_a_section_of_its_own(
    weights: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "piano_dev").mkdir()
    (tmp_path / "piano_dev" / "a.flac").write_bytes(clip.read_bytes())
    heard = [Speed("notabot-notes", 60.0, 0.05, 0.5), Speed("notabot-notes", 600.0, 0.2, 0.8)]
    monkeypatch.setattr(speed, "measure_speed", lambda *_: iter(heard))
    monkeypatch.setattr(speed, "check_agreement", lambda *_: Agreement(9, True, 0))
    target = tmp_path / "figures.json"
    arguments = ["speed", "--weights", str(weights), "--data", str(tmp_path), "--json", str(target)]
    assert command.main(arguments) == 1
    printed = capsys.readouterr().out
    assert "real-time factor: 0.200, to be at most 0.100: MISSED" in printed
    assert printed.count(": met") == 2
    assert json.loads(target.read_text())["sets"]["speed"]["systems"][1]["peak_gb"] == 0.8


def test_a_missed_target_fails(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "piano_dev").mkdir()
    soundfile.write(tmp_path / "piano_dev" / "a.flac", build_notes(build_scale()).mono(), 22_050)
    (tmp_path / "piano_dev" / "a.tsv").write_text("0.5\t1.25\t108\t53\n")
    arguments = ["piano_dev", "--weights", str(weights), "--data", str(tmp_path), "--peers"]
    assert command.main(arguments) == 1
    assert capsys.readouterr().out.count("MISSED") == 2
