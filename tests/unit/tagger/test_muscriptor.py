"""MuScriptor's own code on networks that write given tokens; parts; other files."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from muscriptor.events import NoteEndEvent, NoteStartEvent, ProgressEvent
from muscriptor.tokenizer.mt3 import MT3_FULL_PLUS_GROUP_NAMES
from muscriptor.transcription_model import TranscriptionModel
from safetensors.torch import load, save

from inference_service.audio.waveform import Waveform
from inference_service.errors import Cancelled, ModelRejected
from inference_service.music.events import NoteEvent
from inference_service.notation.names import Language, translate_name
from inference_service.progress import ignore
from inference_service.tagger.muscriptor import MuScriptorTagger, build_parts, load_published
from tests.factories import build_noise
from tests.unit.tagger.muscriptor_checkpoints import build_muscriptor

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    path.write_bytes(build_muscriptor())
    return path


@pytest.fixture(scope="module")
def tagger(path: Path) -> MuScriptorTagger:
    return load_published(path)


def record(duration_s: float) -> Waveform:
    return Waveform(build_noise(9.0)[None, : round(duration_s * RATE_HZ)], RATE_HZ)


def test_parts_are_what_the_network_writes(
    tagger: MuScriptorTagger, capfd: pytest.CaptureFixture[str]
) -> None:
    parts = tagger.tag_players(record(4.0), 0.0, ignore)
    assert capfd.readouterr() == ("", "")
    described = [(part.id, part.name, part.program, part.is_drum) for part in parts]
    assert described == [
        ("acoustic_piano", "Acoustic piano", 0, False),
        ("electric_bass", "Electric bass", 33, False),
        ("violin", "Violin", 40, False),
        ("drums", "Drums", None, True),
    ]
    onsets = {part.id: [(note.pitch, note.onset_s) for note in part.notes] for part in parts}
    assert onsets == {
        "acoustic_piano": [(60, 0.0), (64, 0.0), (67, 0.5)],
        "electric_bass": [(36, 0.5)],
        "violin": [(72, 1.0)],
        "drums": [(38, 1.0)],
    }


def test_notes_are_those_of_the_package(path: Path, tagger: MuScriptorTagger) -> None:
    recording = record(7.0)  # two windows
    samples = torch.from_numpy(recording.mono())
    events = list(TranscriptionModel.load_model(path, "cpu").transcribe((samples, RATE_HZ)))
    ends = [event for event in events if isinstance(event, NoteEndEvent)]
    expected = [(e.start_event.start_time, e.end_time, e.start_event.pitch) for e in ends]
    parts = tagger.tag_parts({"other": recording}, 0.0, ignore)
    found = [(n.onset_s, n.offset_s, n.pitch) for part in parts for n in part.notes]
    assert len(found) > 6
    assert sorted(found) == sorted(expected)


def test_the_sizes_are_read_from_the_tensors(path: Path, tagger: MuScriptorTagger) -> None:
    sizes = {"dim": 128, "num_heads": 2, "num_layers": 2, "card": 1393}
    assert json.loads(path.with_name("config.json").read_text()) == sizes


def test_weights_of_the_former_layout(path: Path, tmp_path: Path) -> None:
    former = {"emb.weight": "emb.0.weight", "linear.weight": "linears.0.weight"}
    tensors = {former.get(name, name): v for name, v in load(path.read_bytes()).items()}
    (tmp_path / "old.safetensors").write_bytes(save(tensors))
    parts = load_published(tmp_path / "old.safetensors").tag_players(record(1.0), 0.0, ignore)
    assert parts[0].id == "acoustic_piano"


def test_nothing_is_heard_in_nothing(tagger: MuScriptorTagger) -> None:
    assert tagger.tag_players(Waveform(np.zeros((1, 0), np.float32), RATE_HZ), 0.0, ignore) == ()


def test_reports_and_cancels_at_each_token(tagger: MuScriptorTagger) -> None:
    seen: list[float] = []
    tagger.tag_players(record(7.0), 0.0, seen.append)
    assert seen == sorted(seen)
    assert len(seen) > 20
    assert set(seen) == {0.0, 0.5, 1.0}

    def stop(fraction: float) -> None:
        if fraction >= 0.5:
            raise Cancelled("gone")

    with pytest.raises(Cancelled):
        tagger.tag_players(record(7.0), 0.0, stop)
    assert tagger.tag_players(record(1.0), 0.0, ignore)


def test_one_thread_hears_at_a_time_and_others_can_be_cancelled(tagger: MuScriptorTagger) -> None:
    inside, release = threading.Event(), threading.Event()

    def hold(fraction: float) -> None:
        inside.set()
        assert release.wait(20.0)

    def cancel(fraction: float) -> None:
        raise Cancelled("enough")

    expected = tagger.tag_players(record(1.0), 0.0, ignore)
    with ThreadPoolExecutor(1) as threads:
        hearing = threads.submit(tagger.tag_players, record(1.0), 0.0, hold)
        assert inside.wait(20.0)
        with pytest.raises(Cancelled):
            tagger.tag_players(record(1.0), 0.0, cancel)
        release.set()
        assert hearing.result(60.0) == expected
    assert tagger.tag_players(record(1.0), 0.0, ignore) == expected


def note(instrument: str, start_s: float, end_s: float) -> list[NoteStartEvent | NoteEndEvent]:
    start = NoteStartEvent(60, start_s, 0, instrument)
    return [start, NoteEndEvent(end_s, start)]


def test_notes_after_the_recording_and_empty_ones_are_dropped() -> None:
    parts = build_parts(
        [
            ProgressEvent(0, 1),
            *note("drums", 0.0, 0.01),
            *note("violin", 2.5, 3.0),
            *note("violin", 1.0, 1.0),
            *note("program_100", 1.0, 4.0),
            *note("oboe", 0.5, 2.0),
        ],
        duration_s=2.0,
    )
    assert [(part.id, part.name, part.program) for part in parts] == [
        ("oboe", "Oboe", 68),
        ("program_100", "Other", 100),
        ("drums", "Drums", None),
    ]
    assert parts[1].notes == (NoteEvent(1.0, 4.0, 60),)


def test_an_ensemble_has_no_singer(tmp_path: Path) -> None:
    sung = (("tie", 0), ("velocity", 1), ("program", 52), ("pitch", 72), ("EOS", 0))
    path = tmp_path / "model.safetensors"
    path.write_bytes(build_muscriptor(sung))
    tagger = load_published(path)
    (singer,) = tagger.tag_parts({"other": record(1.0)}, 0.0, ignore)
    (player,) = tagger.tag_players(record(1.0), 0.0, ignore)
    assert (singer.id, singer.program) == ("voice", 52)
    assert (player.id, player.name, player.program) == ("melody", "Melody", 73)
    assert player.notes == singer.notes


def test_every_instrument_has_a_russian_name() -> None:
    for instrument in MT3_FULL_PLUS_GROUP_NAMES:
        (part,) = build_parts([*note(instrument, 0.0, 1.0)], duration_s=2.0)
        assert translate_name(part.name, Language.RU) != part.name, part.name


def test_other_files_are_refused(tmp_path: Path) -> None:
    tensors = load(build_muscriptor())
    path = tmp_path / "model.safetensors"
    less = {name: value for name, value in tensors.items() if name != "out_norm.bias"}
    for content in (
        b"no tensors",
        save({"a": torch.zeros(1)}),
        save(less),
        save(tensors | {"out_norm.bias": torch.full_like(tensors["out_norm.bias"], torch.nan)}),
    ):
        path.write_bytes(content)
        with pytest.raises(ModelRejected, match=r"model\.safetensors"):
            load_published(path)
