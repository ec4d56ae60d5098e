"""The command line, in process and against a server."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from inference_service import tiny
from inference_service.audio.encode import SoundFormat
from inference_service.cli.recordings import SOUND_FORMATS
from inference_service.engine.catalog import Catalog
from inference_service.midi.writer import encode_performance
from inference_service.music.events import (
    Beat,
    ChordSegment,
    Key,
    NoteEvent,
    Part,
    Rhythm,
    Transcription,
)
from inference_service.music.serialization import decode_transcription, encode_transcription
from tests.factories import build_notes, build_scale, encode_audio
from tests.service.running import build_far_catalog, build_transcription
from tests.unit.cli.running import run
from tests.unit.model_zoo.server import CONTENT, Server, serve_weights


@pytest.fixture
def weights_server() -> Iterator[Server]:
    """A server of weights."""
    yield from serve_weights()


FILES = {
    "result.json", "performance.mid", "score.mid", "score.musicxml", "score-1.png", "score.pdf",
    "roll.png",
}  # fmt: skip


def test_transcribe(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "out"
    assert run("transcribe", song, "--out", out, "--preset", "voice") == 0
    assert {path.name for path in out.iterdir()} == FILES
    result = decode_transcription((out / "result.json").read_bytes())
    pitches = [note.pitch for note in result.parts[0].notes]
    assert pitches == [60, 62, 64, 65, 67, 69, 71, 72]
    assert json.loads((out / "result.json").read_text())["schema"] == "notabot.transcription/1"
    assert "Do re mi" in (out / "score.musicxml").read_text(encoding="utf-8")
    assert sorted(capsys.readouterr().out.split()) == sorted(str(out / name) for name in FILES)


def test_options_shape_the_files(song: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["--preset", "voice", "--formats", "musicxml,json", "--transpose", "2"]
    assert (
        run("transcribe", song, "--out", out, *arguments, "--view", "lead-sheet", "--title", "")
        == 0
    )
    assert {path.name for path in out.iterdir()} == {"score.musicxml", "result.json"}
    assert "Do re mi" not in (out / "score.musicxml").read_text(encoding="utf-8")


def test_transcribe_on_a_server(
    song: Path, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    arguments = ["transcribe", song, "--out", out, "--preset", "voice", "--server", server]
    assert run(*arguments) == 77
    assert run(*arguments, "--token", "for-callers") == 0
    assert {path.name for path in out.iterdir()} == FILES
    monkeypatch.setenv("NOTABOT_SERVER_TOKEN", "for-callers")
    assert run(*arguments, "--formats", "midi") == 0


def test_a_server_and_the_process_agree(song: Path, tmp_path: Path, server: str) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    common = ["--preset", "voice", "--formats", "midi,musicxml"]
    assert run("transcribe", song, "--out", here, *common) == 0
    assert (
        run(
            "transcribe",
            song,
            "--out",
            there,
            *common,
            "--server",
            server,
            "--token",
            "for-callers",
        )
        == 0
    )
    for name in ("performance.mid", "score.mid"):
        assert (here / name).read_bytes() == (there / name).read_bytes()


def test_separate(song: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("separate", song, "--out", out) == 0
    vocals, rate_hz = soundfile.read(out / "vocals.wav")
    accompaniment, _ = soundfile.read(out / "accompaniment.wav")
    original, _ = soundfile.read(song)
    assert rate_hz == 44100
    assert abs(vocals + accompaniment - original).max() < 0.01


def test_every_sound_format_can_be_chosen() -> None:
    assert set(SOUND_FORMATS) == set(SoundFormat)


@pytest.mark.parametrize(("kind", "suffix"), [("mp3", "mp3"), ("opus", "ogg"), ("flac", "flac")])
def test_stems_of_other_formats(song: Path, tmp_path: Path, kind: str, suffix: str) -> None:
    out = tmp_path / "out"
    assert run("separate", song, "--out", out, "--format", kind) == 0
    assert {path.name for path in out.iterdir()} == {f"vocals.{suffix}", f"accompaniment.{suffix}"}


def test_a_singer_gets_two_files(song: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("separate", song, "--out", out, "--karaoke", "--format", "flac") == 0
    assert {path.name for path in out.iterdir()} == {"karaoke.flac", "a-cappella.flac"}


def test_stems_are_written_all_or_none(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    write_bytes, written = Path.write_bytes, 0

    def fill_up(path: Path, data: bytes) -> int:
        nonlocal written
        written += 1
        if written > 1:
            write_bytes(path, data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(path, data)

    monkeypatch.setattr(Path, "write_bytes", fill_up)
    assert run("separate", song, "--out", out) == 73
    assert written == 2
    assert not list(out.iterdir())


def test_a_songs_stems_are_files_of_its_transcription(song: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("transcribe", song, "--preset", "song", "--out", out, "--formats", "stems") == 0
    assert {path.name for path in out.iterdir()} == {"karaoke.mp3", "a-cappella.mp3"}
    asked = ("transcribe", song, "--preset", "voice", "--out", out, "--formats", "stems")
    assert run(*asked) == 66


def test_a_server_sends_stems(song: Path, tmp_path: Path, server: str) -> None:
    out = tmp_path / "out"
    asked = ["--preset", "song", "--out", out, "--formats", "stems"]
    assert run("transcribe", song, *asked, "--server", server, "--token", "for-callers") == 0
    assert {path.name for path in out.iterdir()} == {"karaoke.mp3", "a-cappella.mp3"}


def test_notate(tmp_path: Path) -> None:
    performance = tmp_path / "Étude.mid"
    performance.write_bytes(encode_performance(build_transcription()))
    out = tmp_path / "out"
    assert run("notate", performance, "--out", out, "--formats", "musicxml,png,pdf") == 0
    assert {path.name for path in out.iterdir()} == {"score.musicxml", "score-1.png", "score.pdf"}
    assert "Étude" in (out / "score.musicxml").read_text(encoding="utf-8")


class SlowWaltz:
    """A rhythm reader that always finds bars of three beats, each one second long."""

    def estimate(
        self, notes: Sequence[NoteEvent], key: Key, chords: Sequence[ChordSegment] = ()
    ) -> Rhythm | None:
        """Return the rhythm."""
        return Rhythm(tuple(Beat(float(k), k % 3 + 1) for k in range(4)), 60.0, "3/4")

    def place(self, transcription: Transcription) -> Transcription:
        """Leave placement to the quantiser."""
        return transcription


@pytest.mark.parametrize(("source", "metre"), [("file", "4"), ("auto", "4"), ("notes", "3")])
def test_whose_rhythm_is_written_is_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, metre: str
) -> None:
    monkeypatch.setitem(tiny._STAGES, "no-rhythm", SlowWaltz())
    performance = tmp_path / "song.mid"
    performance.write_bytes(encode_performance(build_transcription()))
    notate = ["notate", performance, "--out", tmp_path / "out", "--formats", "musicxml"]
    assert run(*notate, "--rhythm", source) == 0
    score = (tmp_path / "out" / "score.musicxml").read_text(encoding="utf-8")
    assert f"<beats>{metre}</beats>" in score


def test_views_paper_chords_and_pitches_are_options(tmp_path: Path) -> None:
    performance = tmp_path / "song.mid"
    performance.write_bytes(encode_performance(build_transcription()))
    notate = ["notate", performance, "--out", tmp_path / "out", "--formats", "pdf,roll"]
    asked = ["--view", "chords", "--simple-chords", "--paper", "letter", "--pitches", "sung"]
    assert run(*notate, *asked) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"score.pdf", "roll.png"}
    with pytest.raises(SystemExit):
        run(*notate, "--paper", "a3")
    with pytest.raises(SystemExit):
        run(*notate, "--pitches", "heard")


def test_a_preview_that_cannot_be_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    performance = tmp_path / "song.mid"
    performance.write_bytes(encode_performance(build_transcription()))
    monkeypatch.setenv("NOTABOT_PREVIEW_SOUNDFONT", str(tmp_path / "none.sf2"))
    assert run("notate", performance, "--out", tmp_path / "out", "--formats", "preview") == 69
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_models_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NOTABOT_MODELS_PROFILE", "cpu")
    assert run("models", "list") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["TASK", "MODEL", "VERSION", "LICENCE", "STATE", "FETCH"]
    assert ["beats", "beat-this", "final0", "MIT", "not", "fetched", "81", "MB"] in lines
    assert ["piano", "transkun", "2.0.1", "MIT", "default", "-"] in lines


def test_models_are_exchanged(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    admin = ["--server", server, "--token", "for-administrators"]
    assert run("models", "use", "song", "autocorrelation-coarse", *admin) == 0
    assert "instead of autocorrelation@1" in capsys.readouterr().out
    assert run("models", "list", *admin) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["song", "autocorrelation-coarse", "1", "MIT", "active", "-"] in lines
    assert run("models", "use", "song", "no-such", *admin) == 64
    assert run("models", "use", "song", "steady", "--server", server) == 77


def test_fetching_what_comes_with_its_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NOTABOT_MODELS_PROFILE", "cpu")
    assert run("models", "fetch", "swift-f0") == 0
    assert "nothing to fetch" in capsys.readouterr().out
    assert run("models", "fetch", "no-such") == 64


def test_fetching_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights_server: Server
) -> None:
    catalog = build_far_catalog(weights_server.url)
    monkeypatch.setattr("inference_service.assembly.build_catalog", lambda profile: catalog)
    monkeypatch.setenv("NOTABOT_MODELS_USE", "separation=far")
    song = tmp_path / "song.wav"
    song.write_bytes(encode_audio(build_notes(build_scale()).samples, "wav"))
    assert run("separate", song, "--out", tmp_path / "out") == 69
    weights_server.cut_after, weights_server.cuts = 400_000, 1
    assert run("models", "fetch", "far") == 0
    assert (tmp_path / "weights" / "far" / "w.bin").read_bytes() == CONTENT
    (tmp_path / "weights" / "far" / "w.bin").unlink()
    weights_server.content = b"x" * len(CONTENT)
    assert run("models", "fetch", "far") == 69


def test_fetching_says_what_it_fetches_and_asks_for_agreement(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    weights_server: Server,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gate, terms = "https://hub.example/far", "https://terms.example/nc"
    changes = {"gate": gate, "terms": terms, "non_commercial": True, "figures": {"rtf": 1.5}}
    *models, far = build_far_catalog(weights_server.url).models
    catalog = Catalog(profiles={}, models=(*models, far.model_copy(update=changes)))
    monkeypatch.setattr("inference_service.assembly.build_catalog", lambda profile: catalog)
    assert run("models", "fetch", "far") == 69  # there is nobody to ask
    captured = capsys.readouterr()
    for expected in ("1 MB from 127.0.0.1", "1.5 s of work", far.licence, gate, terms):
        assert expected in captured.out
    assert "--agree" in captured.err
    assert run("models", "fetch", "far", "--agree") == 69
    assert "NOTABOT_MODELS_HUB_TOKEN" in capsys.readouterr().err
    monkeypatch.setenv("NOTABOT_MODELS_HUB_TOKEN", "hub-secret")
    assert weights_server.asked == []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda prompt: "no")
    assert run("models", "fetch", "far") == 69
    monkeypatch.setattr("builtins.input", lambda prompt: "Yes")
    assert run("models", "fetch", "far") == 0
    assert (tmp_path / "weights" / "far" / "w.bin").read_bytes() == CONTENT
    assert weights_server.tokens == ["Bearer hub-secret"]
    captured = capsys.readouterr()
    assert "hub-secret" not in captured.out + captured.err


def test_fetching_what_the_profile_prefers(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    weights_server: Server,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("models", "fetch") == 0
    assert "everything" in capsys.readouterr().out
    catalog = build_far_catalog(weights_server.url)
    monkeypatch.setattr("inference_service.assembly.build_catalog", lambda profile: catalog)
    weights_server.statuses = [404]
    assert run("models", "fetch") == 69
    error = capsys.readouterr().err
    assert error.startswith("notabot: separation is done by mid-side, without far: ")
    assert error.count("\n") == 1
    assert run("models", "fetch") == 0
    assert (tmp_path / "weights" / "far" / "w.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "exit_code"), [(b"", 65), (b"no audio at all", 65), (b"PK\x03\x04" * 100, 65)]
)
def test_an_error_is_one_line_and_leaves_no_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, exit_code: int
) -> None:
    (tmp_path / "in.ogg").write_bytes(content)
    out = tmp_path / "out"
    assert run("transcribe", tmp_path / "in.ogg", "--out", out) == exit_code
    captured = capsys.readouterr()
    assert captured.err.startswith("notabot: ")
    assert captured.err.count("\n") == 1
    assert not out.exists()


def test_wrong_use(song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("transcribe", tmp_path / "none.wav", "--out", tmp_path) == 66
    assert run("transcribe", song, "--out", tmp_path, "--transpose", "99") == 64
    assert run("notate", song, "--out", tmp_path) == 65
    assert run("transcribe", song, "--out", song, "--preset", "voice") == 73
    with pytest.raises(SystemExit) as raised:
        run("transcribe", song, "--out", tmp_path, "--preset", "opera")
    assert raised.value.code == 2
    monkeypatch.setenv("NOTABOT_ENGINE_QUEUE_SIZE", "none")
    assert run("models", "list") == 64


def test_an_unreachable_server(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("transcribe", song, "--out", tmp_path, "--server", "127.0.0.1:9") == 75
    assert "no service answers at 127.0.0.1:9" in capsys.readouterr().err


def test_a_performance_of_too_many_notes_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = [NoteEvent(0.2 * number, 0.2 * number + 0.1, 60) for number in range(18_000)]
    path = tmp_path / "long.mid"
    path.write_bytes(
        encode_performance(
            replace(build_transcription(), parts=(Part("piano", "Piano", tuple(notes), 0),))
        )
    )
    assert run("notate", path, "--out", tmp_path / "out") == 65
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"time_s": 0.5', '"time_s": 1e300'),
        ('"pitch": 69', '"pitch": 100000'),
        ('"onset_s": 0.5', '"onset_s": NaN'),
    ],
    ids=["beats after the end of time", "absurd pitch", "not a number"],
)
def test_a_result_with_absurd_values_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], before: str, after: str
) -> None:
    """They cost gigabytes, or ended with a traceback's last line and exit code 70."""
    text = encode_transcription(build_transcription()).decode()
    assert before in text
    path = tmp_path / "result.json"
    path.write_text(text.replace(before, after), encoding="utf-8")
    assert run("continue", path, "--out", tmp_path / "out") == 65
    error = capsys.readouterr().err
    assert error.startswith("notabot: this is not the result of a transcription")
    assert error.count("\n") == 1
