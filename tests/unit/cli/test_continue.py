"""``notabot continue`` on every kind of file."""

from __future__ import annotations

from pathlib import Path

import mido
import pytest

from inference_service.cli.music import Kind, recognize
from inference_service.midi.writer import encode_score
from inference_service.music.events import Key, Transcription
from inference_service.music.serialization import encode_transcription
from inference_service.notation.musicxml import encode_musicxml
from tests.factories import build_notes, build_scale, encode_audio, perform, sing_flat
from tests.unit.cli.running import run
from tests.unit.continuation.songs import build_song

FILES = {
    "continuation-1.png", "continuation.pdf", "continuation.musicxml", "continuation.mid",
}  # fmt: skip
QUICK = ("--measures", "2", "--formats", "musicxml,midi")


def build_performance() -> Transcription:
    """Four bars of a tune over chords."""
    tune = [0, 2, 4, 2, 0, 4, 7, 4, 5, 4, 2, 0, 2, 5, 2, 7]
    return perform(
        {"vocals": [(k, 1.0, 60 + step) for k, step in enumerate(tune)]},
        key=Key("C", "major"),
        chords=[(0, 4, "C:maj"), (4, 8, "A:min"), (8, 12, "F:maj"), (12, 16, "G:maj")],
    )


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    """Four bars, sung."""
    path = tmp_path / "A tune.wav"
    notes = build_scale((60, 62, 64, 65, 67, 65, 64, 62) * 2)
    path.write_bytes(encode_audio(build_notes(notes).samples))
    return path


def bars(out: Path, name: str = "continuation.musicxml") -> int:
    """Number of bars in the first part of a MusicXML file."""
    return (out / name).read_bytes().split(b"</part>")[0].count(b"<measure ")


def test_a_recording(tune: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run("continue", tune, "--preset", "voice", "--out", out, "--measures", "2") == 0
    assert {path.name for path in out.iterdir()} == FILES
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(str(out / n) for n in FILES)
    assert bars(out) == 4 + 2
    assert "A tune" in (out / "continuation.musicxml").read_text(encoding="utf-8")


def test_a_midi_file(tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    path.write_bytes(encode_score(build_song()))
    out = tmp_path / "out"
    assert run("continue", path, "--out", out, *QUICK, "--context", "3") == 0
    assert bars(out) == 3 + 2
    played = mido.MidiFile(out / "continuation.mid")
    assert len({m.channel for track in played.tracks for m in track if m.type == "note_on"}) == 4


def test_a_result(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(encode_transcription(build_performance()))
    out = tmp_path / "out"
    assert run("continue", path, "--out", out, *QUICK, "--title", "Mine", "--context", "0") == 0
    assert bars(out) == 2
    assert "Mine" in (out / "continuation.musicxml").read_text(encoding="utf-8")


@pytest.mark.parametrize(("pitches", "last"), [("meant", 67), ("sung", 66)])
def test_a_result_is_shown_as_meant_or_as_sung(tmp_path: Path, pitches: str, last: int) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(encode_transcription(sing_flat(build_performance(), [15])))
    out = tmp_path / "out"
    asked = ("--pitches", pitches, "--view", "melody", "--context", "1")
    assert run("continue", path, "--out", out, *QUICK, *asked) == 0
    played = mido.MidiFile(out / "continuation.mid")
    notes = [m.note for m in played if m.type == "note_on" and m.velocity]
    assert notes[:4] == [62, 65, 62, last]


@pytest.mark.parametrize("title", [None, "Mine"])
def test_musicxml(tmp_path: Path, title: str | None) -> None:
    path = tmp_path / "file.musicxml"
    path.write_bytes(encode_musicxml(build_song()))
    out = tmp_path / "out"
    named = () if title is None else ("--title", title)
    assert run("continue", path, "--out", out, *QUICK, *named) == 0
    assert bars(out) == 4 + 2
    assert (title or "Song") in (out / "continuation.musicxml").read_text(encoding="utf-8")


def test_the_same_seed_writes_the_same_bars(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(encode_transcription(build_performance()))
    made = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        asked = ("--seed", seed, "--style", "folk", "--boldness", "-0.5", "--alternatives", "1")
        assert run("continue", path, "--out", tmp_path / name, *QUICK, *asked) == 0
        made.append([(tmp_path / name / f"continuation{x}.mid").read_bytes() for x in ("", "-b")])
    assert made[0] == made[1]
    assert made[0] != made[2]
    assert made[0][0] != made[0][1]


def test_on_a_server(tune: Path, tmp_path: Path, server: str) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    asked = ["continue", tune, "--preset", "voice", *QUICK, "--seed", "5", "--boldness", "0.5"]
    assert run(*asked, "--out", here) == 0
    assert run(*asked, "--out", there, "--server", server, "--token", "for-callers") == 0
    assert (here / "continuation.mid").read_bytes() == (there / "continuation.mid").read_bytes()
    assert {path.name for path in there.iterdir()} == {path.name for path in here.iterdir()}


def test_a_server_takes_recordings_alone(
    tmp_path: Path, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "song.mid"
    path.write_bytes(encode_score(build_song()))
    assert run("continue", path, "--out", tmp_path / "out", "--server", server) == 64
    assert "leave out --server" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "exit_code", "cause"),
    [
        (encode_audio(build_notes(build_scale((60,))).samples), 65, "too few"),
        (b"MThd", 65, "not a readable MIDI"),
        (b'{"schema": "another/1"}', 65, "not the result"),
        (b"<html/>", 65, "MusicXML"),
        (b"PK\x03\x04" + bytes(60), 65, "MusicXML"),
        (b"", 65, ""),
    ],
)
def test_what_does_not_go_on_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, exit_code: int, cause: str
) -> None:
    path = tmp_path / "in"
    path.write_bytes(content)
    assert run("continue", path, "--out", tmp_path / "out") == exit_code
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert cause in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        ("--measures", "0"),
        ("--seed", "-1"),
        ("--boldness", "1.5"),
        ("--boldness", "nan"),
        ("--context", "65"),
        ("--alternatives", "5"),
        ("--formats", "json"),
    ],
)
def test_options_out_of_range(tmp_path: Path, wrong: tuple[str, str]) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(encode_transcription(build_performance()))
    assert run("continue", path, "--out", tmp_path / "out", *wrong) == 64


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"MThd\x00\x00", Kind.MIDI),
        (b'<?xml version="1.0"?>', Kind.MUSICXML),
        (b"\xef\xbb\xbf  <score-partwise>", Kind.MUSICXML),
        ("\ufeff<?xml".encode("utf-16-le"), Kind.MUSICXML),
        ("\ufeff<?xml".encode("utf-16-be"), Kind.MUSICXML),
        (b"PK\x03\x04", Kind.MUSICXML),
        (b' {"schema"', Kind.RESULT),
        (b"RIFF", Kind.RECORDING),
        (b"OggS", Kind.RECORDING),
        (b"", Kind.RECORDING),
    ],
)
def test_a_kind_is_recognised_by_the_content(start: bytes, kind: Kind) -> None:
    assert recognize(start + bytes(8) if start else start) is kind
