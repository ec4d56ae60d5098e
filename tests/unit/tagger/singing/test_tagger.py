"""The tagger of sung notes on tones with known pitch, and its windows."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples, Waveform
from inference_service.checkpoint import load_network, save_network
from inference_service.errors import Cancelled
from inference_service.music.events import NoteEvent
from inference_service.progress import ignore
from inference_service.tagger.singing.features import RATE_HZ
from inference_service.tagger.singing.network import SingingNet, SingingNetConfig
from inference_service.tagger.singing.tagger import SingingTagger, load_tagger
from tests.factories import build_noise, build_notes, build_scale, build_tone, sing

WEIGHTS = Path(__file__).parents[4] / "model_zoo" / "weights" / "singing.safetensors"


@pytest.fixture(scope="module")
def tagger() -> SingingTagger:
    return load_tagger(WEIGHTS, threads=1)


@pytest.mark.parametrize("cents", [-40.0, 0.0, 40.0])
def test_finds_every_note_of_a_scale_in_its_own_tuning(tagger: SingingTagger, cents: float) -> None:
    scale = build_scale()
    notes = tagger.tag(build_notes(scale, tuning_cents=cents), cents, ignore)
    assert [note.pitch for note in notes] == [note.pitch for note in scale]
    assert np.allclose([n.onset_s for n in notes], [n.onset_s for n in scale], rtol=0.0, atol=0.05)
    assert np.allclose([note.pitch_cents for note in notes], cents, rtol=0.0, atol=15.0)


def test_finds_what_a_singer_sings(tagger: SingingTagger) -> None:
    scale = build_scale()
    notes = tagger.tag(sing(scale), 0.0, ignore)
    assert [note.pitch for note in notes] == [note.pitch for note in scale]


def test_tells_repeated_notes_apart(tagger: SingingTagger) -> None:
    repeated = build_scale((60, 60, 60, 62, 62, 60, 60), note_s=0.35)
    notes = tagger.tag(sing(repeated), 0.0, ignore)
    assert [note.pitch for note in notes] == [note.pitch for note in repeated]


def test_louder_notes_have_higher_velocities(tagger: SingingTagger) -> None:
    played = [
        NoteEvent(0.0, 0.5, 60, 30),
        NoteEvent(0.6, 1.1, 64, 70),
        NoteEvent(1.2, 1.7, 67, 120),
    ]
    velocities = [note.velocity for note in tagger.tag(build_notes(played), 0.0, ignore)]
    assert velocities == sorted(velocities)
    assert velocities[0] < velocities[2]


def test_notes_do_not_overlap_and_end_with_the_recording(tagger: SingingTagger) -> None:
    waveform = build_notes(build_scale((60, 61, 60, 62) * 5, note_s=0.2), tail_s=0.0)
    notes = tagger.tag(waveform, 0.0, ignore)
    assert len(notes) >= 10
    assert all(a.offset_s <= b.onset_s for a, b in pairwise(notes))
    assert all(note.offset_s <= waveform.duration_s for note in notes)


def test_stereo_at_any_rate_is_heard_alike(tagger: SingingTagger) -> None:
    mono = build_notes(build_scale(), rate_hz=44100)
    both = resample(np.repeat(mono.samples, 2, axis=0), 44100, 48000)
    notes, others = (tagger.tag(w, 0.0, ignore) for w in (mono, Waveform(both, 48000)))
    assert [note.pitch for note in others] == [note.pitch for note in notes]


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(1, np.float32),
        np.zeros(100, np.float32),
        np.zeros(44100, np.float32),
        build_noise(1.0, amplitude=1e-4),
        build_noise(3.0, amplitude=0.1),
        np.ones(4410, np.float32),
    ],
    ids=["one sample", "short", "silence", "faint noise", "noise", "constant"],
)
def test_nothing_sung_gives_no_notes(tagger: SingingTagger, samples: Samples) -> None:
    assert tagger.tag(Waveform(samples[None], 44100), 0.0, ignore) == []


def test_windows_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = SingingNet(SingingNetConfig(channels=8, doublings=3)).eval()
    tagger = SingingTagger(network, threads=1)
    samples = build_notes(build_scale((60, 64, 67, 72) * 4), rate_hz=RATE_HZ).mono()
    contour = tagger._tracker.track(Waveform(samples[None], RATE_HZ), ignore)
    whole = tagger.predict(samples, contour, ignore)
    monkeypatch.setattr("inference_service.tagger.singing.tagger.WINDOW_FRAMES", 150)
    windowed = tagger.predict(samples, contour, ignore)
    for one, other in zip(whole, windowed, strict=True):
        assert len(one) == len(contour.timestamps) > 300
        assert np.allclose(one, other, atol=1e-4)


def test_a_frame_depends_on_its_context_alone() -> None:
    torch.manual_seed(0)
    network = SingingNet(SingingNetConfig(channels=8, doublings=3)).eval()
    spectrogram, contour = torch.randn(1, 64, 200), torch.randn(1, 13, 100)
    before = network(spectrogram, contour).onset[0]
    context = network.config.context_frames
    spectrogram[..., 100 + 2 * context + 2 :] += 1.0
    contour[..., 50 + context + 1 :] += 1.0
    after = network(spectrogram, contour).onset[0]
    assert torch.equal(before[:51], after[:51])
    assert not torch.equal(before, after)


def test_weights_come_back_as_they_were(tmp_path: Path) -> None:
    network = SingingNet(SingingNetConfig(channels=8, doublings=2)).eval()
    save_network(network, tmp_path / "kept.safetensors", {"steps": "3"})
    kept = load_network(tmp_path / "kept.safetensors", SingingNet)
    assert kept.config == network.config
    spectrogram, contour = torch.randn(1, 64, 20), torch.randn(1, 13, 10)
    with torch.inference_mode():
        assert torch.equal(kept(spectrogram, contour).bend, network(spectrogram, contour).bend)


def test_stops_when_cancelled(tagger: SingingTagger) -> None:
    fractions: list[float] = []

    def cancel(fraction: float) -> None:
        fractions.append(fraction)
        if fraction > 0.3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        tagger.tag(Waveform(build_tone(220.0, 35.0)[None], 44100), 0.0, cancel)
    assert fractions == sorted(fractions)
    assert fractions[-1] < 0.7
