"""Corrections on the command line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pytest

from inference_service.cli.command import build_parser
from inference_service.cli.corrections import read_edit
from inference_service.midi.writer import encode_performance
from inference_service.music.bar_moves import BarMove
from inference_service.music.corrections import (
    BarRange,
    Clef,
    Corrections,
    Feel,
    FinestValue,
    PartCorrection,
    Triplets,
)
from inference_service.music.edits import SetPitch
from inference_service.music.events import Key
from inference_service.music.serialization import decode_transcription, encode_transcription
from tests.factories import perform, place
from tests.unit.cli.running import run


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """The result of a tune for piano and drums."""
    notes = [(k, 1, 60 + k % 5) for k in range(24)]
    heard = place(perform({"piano": notes, "drums": [(k, 0.2, 36) for k in range(24)]}))
    path = tmp_path / "tune.json"
    path.write_bytes(encode_transcription(heard))
    return path


def read_page(out: Path) -> ElementTree.Element:
    return ElementTree.parse(out / "score.musicxml").getroot()


def read(*arguments: str) -> Corrections:
    options = build_parser().parse_args(["render", "in", "--out", "out", *arguments])
    return read_edit(options).corrections


def test_every_option_is_a_correction() -> None:
    assert read() == Corrections()
    given = read(
        *["--metre", "6/8", "--beat", "3/2", "--first-beat", "2.5", "--key", "F#m"],
        *["--finest", "sixteenth", "--no-triplets", "--feel", "swing", "--bars", "5-12"],
        *["--leave-out", "drums", "--name", "piano=Cor anglais", "--program", "piano=69"],
        *["--clef", "piano=treble-8vb"],
    )
    assert given == Corrections(
        "6/8",
        Fraction(3, 2),
        None,
        Fraction(5, 2),
        Key("F#", "minor"),
        FinestValue.SIXTEENTH,
        Triplets.NOT_ALLOWED,
        Feel.SWING,
        (
            PartCorrection("drums", left_out=True),
            PartCorrection("piano", name="Cor anglais", program=69, clef=Clef.TREBLE_8VB),
        ),
        BarRange(5, 12),
    )
    assert read("--tempo", "84", "--triplets", "--bars", "7") == Corrections(
        tempo_bpm=84.0, triplets=Triplets.ALLOWED, bars=BarRange(7, 7)
    )
    names = ("half", "double", "third", "triple")
    assert [read("--beat", name).beat_scale for name in names] == [
        Fraction(1, 2),
        2,
        Fraction(1, 3),
        3,
    ]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Bb", Key("Bb", "major")),
        ("c minor", Key("C", "minor")),
        ("e♭m", Key("Eb", "minor")),
        ("F♯ major", Key("F#", "major")),
    ],
)
def test_keys_are_written_as_people_write_them(text: str, key: Key) -> None:
    assert read("--key", text).key == key


def test_a_result_is_rendered_and_corrected(result: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--metre", "3/4", "--first-beat", "2", "--beat", "half", "--leave-out", "drums"]
    assert run("render", result, "--out", out, "--formats", "musicxml,json", *options) == 0
    page = read_page(out)
    assert page.findtext(".//beats") == "3"
    assert len(page.findall("part")) == 1
    kept = decode_transcription((out / "result.json").read_bytes())
    assert kept.time_signature == "4/4"
    assert kept.corrections.time_signature == "3/4"
    again = tmp_path / "again"
    assert (
        run(
            "render",
            out / "result.json",
            "--out",
            again,
            "--formats",
            "musicxml",
            "--title",
            "tune",
        )
        == 0
    )
    assert (again / "score.musicxml").read_bytes() == (out / "score.musicxml").read_bytes()


def test_a_result_is_edited(result: Path, tmp_path: Path) -> None:
    edits = tmp_path / "edits.json"
    edits.write_text(
        '[{"kind": "move", "note": "piano:0", "steps": 2}, {"kind": "delete", "note": "piano:1"},'
        ' {"kind": "chord", "time_s": 0, "text": "Am7"}]'
    )
    out, again = tmp_path / "out", tmp_path / "again"
    arguments = ["--formats", "musicxml,json", "--title", "tune"]
    assert run("render", result, "--out", out, *arguments, "--edits", edits) == 0
    page = read_page(out)
    steps = [step.text for step in page.findall("part[1]/measure[1]/note/pitch/step")]
    assert steps[:2] == ["E", "D"]
    assert page.findtext(".//harmony/root/root-step") == "A"
    kept = decode_transcription((out / "result.json").read_bytes())
    assert kept.corrections.edits[0] == SetPitch("piano:0", 64)
    assert run("render", out / "result.json", "--out", again, *arguments) == 0
    assert (again / "score.musicxml").read_bytes() == (out / "score.musicxml").read_bytes()
    edits.write_text("[]")
    assert run("render", out / "result.json", "--out", again, *arguments, "--edits", edits) == 0
    assert not decode_transcription((again / "result.json").read_bytes()).corrections


def test_edits_that_change_nothing_are_refused(
    result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edits = tmp_path / "edits.json"
    edits.write_text('[{"kind": "delete", "note": "piano:99"}]')
    assert run("render", result, "--out", tmp_path / "out", "--edits", edits) == 64
    assert "edit 1: no note has this id" in capsys.readouterr().err


def test_bar_lines_are_moved_from_a_bar_on(result: Path, tmp_path: Path) -> None:
    options = ["--bars-later", "3:1", "--bars-later", "5:-1", "--bars-later", "6:+1e"]
    assert run("render", result, "--out", tmp_path, "--formats", "musicxml,json", *options) == 0
    piano = read_page(tmp_path).find("part")
    assert piano is not None
    assert [node.text for node in piano.iter("beats")] == ["4", "5", "4", "3", "4"]
    kept = decode_transcription((tmp_path / "result.json").read_bytes())
    assert kept.corrections.bar_moves == (
        BarMove(Fraction(9), Fraction(1)),
        BarMove(Fraction(17), Fraction(-1)),
        BarMove(Fraction(21), Fraction(1, 2)),
    )


def test_a_recording_is_transcribed_and_corrected(song: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--preset", "voice", "--formats", "musicxml", "--metre", "3/4", "--key", "Eb"]
    assert run("transcribe", song, "--out", out, *options) == 0
    page = read_page(out)
    assert (page.findtext(".//beats"), page.findtext(".//fifths")) == ("3", "-3")


def test_a_midi_file_is_notated_and_corrected(tmp_path: Path) -> None:
    midi, out = tmp_path / "tune.mid", tmp_path / "out"
    midi.write_bytes(
        encode_performance(perform({"piano": [(k, 1, 60 + k % 5) for k in range(24)]}))
    )
    options = ["--formats", "musicxml", "--metre", "3/4", "--bars", "2-5"]
    assert run("notate", midi, "--out", out, *options) == 0
    page = read_page(out)
    assert page.findtext(".//beats") == "3"
    assert [bar.get("number") for bar in page.iter("measure")] == ["2", "3", "4", "5"]


def test_a_service_corrects_as_the_process_does(song: Path, tmp_path: Path, server: str) -> None:
    out = tmp_path / "out"
    options = ["--preset", "voice", "--formats", "musicxml", "--metre", "3/4"]
    remote = ["--server", server, "--token", "for-callers"]
    assert run("transcribe", song, "--out", out, *options, *remote) == 0
    assert read_page(out).findtext(".//beats") == "3"


@pytest.mark.parametrize(
    "options",
    [
        ["--metre", "0/0"],
        ["--metre", "x"],
        ["--beat", "1e300"],
        ["--beat", "1/0"],
        ["--beat", "5"],
        ["--first-beat", "nan"],
        ["--first-beat", "99999"],
        ["--tempo", "nan"],
        ["--key", "H"],
        ["--finest", "breve"],
        ["--feel", "rubato"],
        ["--bars", "0-3"],
        ["--bars", "3-2"],
        ["--bars", "90-99"],
        ["--bars-later", "9"],
        ["--bars-later", "0:1"],
        ["--bars-later", "99:1"],
        ["--bars-later", "3:1000"],
        ["--bars-later", "3:1.5"],
        ["--leave-out", "theremin"],
        ["--name", "piano"],
        ["--program", "piano=200"],
        ["--program", "piano=¹"],
        ["--clef", "piano=soprano"],
        ["--clef", "drums=bass"],
    ],
)
def test_what_is_no_correction_is_refused(
    result: Path, tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("render", result, "--out", out, "--formats", "musicxml", *options) == 64
    assert not out.exists()
    assert capsys.readouterr().err.startswith("notabot: ")


def test_written_music_is_not_corrected(result: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("render", result, "--out", out, "--formats", "musicxml") == 0
    score = out / "score.musicxml"
    for option in (["--metre", "3/4"], ["--bars-later", "2:1"]):
        assert run("continue", score, "--out", out, "--measures", 1, *option) == 64
    assert run("render", score, "--out", out) == 65
