"""The stages that run networks in batches: several threads hear what each would hear alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from swift_f0 import PitchResult
from torch import Tensor

from inference_service.audio.waveform import Waveform
from inference_service.batching import Batches
from inference_service.progress import ignore
from inference_service.rhythm.from_sound.features import FRAMES_PER_S
from inference_service.rhythm.from_sound.network import BeatNet, BeatNetConfig
from inference_service.rhythm.from_sound.neural_beats import NeuralBeatEstimator
from inference_service.rhythm.from_sound.reading_model import load_model
from inference_service.separation.checkpoints import load_demucs
from inference_service.separation.demucs import DemucsSeparator
from inference_service.separation.mask_network import MaskNet, MaskNetConfig
from inference_service.separation.masking import MaskingSeparator
from inference_service.tagger.notes.network import NoteNet, NoteNetConfig
from inference_service.tagger.notes.tagger import TransformerTagger
from inference_service.tagger.notes.timbre import TimbreNet
from inference_service.tagger.singing import features
from inference_service.tagger.singing import tagger as singing
from inference_service.tagger.singing.network import SingingNet, SingingNetConfig
from tests.conftest import ROOT
from tests.factories import build_noise, save_tiny_demucs

RATE_HZ = 44_100
LENGTHS_S = (5.0, 3.0, 4.2)
Stage = Callable[[Waveform], NDArray[Any]]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Restrict torch to one thread: small networks spend their time on synchronisation."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def build_tagger(batch: int, folder: Path) -> Stage:
    torch.manual_seed(1)
    config = NoteNetConfig(
        front_end_channels=4, channels=8, width=16, layers=1, heads=2, reach=3, before=(1,),
        after=(1,)
    )  # fmt: skip
    tagger = TransformerTagger(
        NoteNet(config).eval(), TimbreNet().eval(), window_s=0.5, batch=batch
    )
    return lambda waveform: np.concatenate(
        [course.ravel() for course in tagger.predict(waveform, ignore)]
    )


def build_masking(batch: int, folder: Path) -> Stage:
    torch.manual_seed(1)
    network = MaskNet(MaskNetConfig(bins=256, channels=(4, 6, 8)))
    separator = MaskingSeparator(network, window_s=0.1, batch=batch)
    return lambda waveform: separator.separate(waveform, ignore)["vocals"].samples


def build_demucs(batch: int, folder: Path) -> Stage:
    torch.manual_seed(1)
    save_tiny_demucs(folder, "abcd1234")
    separator = DemucsSeparator(load_demucs("abcd1234", folder), batch=batch)
    return lambda waveform: np.concatenate(
        [stem.samples for stem in separator.separate(waveform, ignore).values()]
    )


def build_beats(batch: int, folder: Path) -> Stage:
    torch.manual_seed(1)
    readings = load_model(ROOT / "model_zoo" / "weights" / "readings.json")
    estimator = NeuralBeatEstimator(
        BeatNet(BeatNetConfig(doublings=3)).eval(), readings, batch=batch
    )
    return lambda waveform: estimator.predict(waveform, ignore)


def build_singing(batch: int, folder: Path) -> Stage:
    torch.manual_seed(1)
    tagger = singing.SingingTagger(
        SingingNet(SingingNetConfig(channels=8, doublings=3)).eval(), threads=1, batch=batch
    )

    def predict(waveform: Waveform) -> NDArray[Any]:
        samples = waveform.mono()[: round(waveform.duration_s * features.RATE_HZ)]
        frames = len(samples) // features.HOP_SAMPLES
        contour = PitchResult(
            timestamps=np.arange(frames) * features.HOP_S,
            pitch_hz=np.full(frames, 220.0),
            confidence=np.full(frames, 0.9),
            loudness_db=np.full(frames, -20.0),
        )
        return np.stack(tagger.predict(samples, contour, ignore))

    return predict


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of windows in each batch that a network has run."""
    sizes: list[int] = []
    compute = Batches._compute

    def record(self: Batches, inputs: Sequence[Tensor]) -> list[Tensor]:
        sizes.append(len(inputs[0]))
        return compute(self, inputs)

    monkeypatch.setattr(Batches, "_compute", record)
    return sizes


@pytest.mark.parametrize(
    "build", [build_tagger, build_masking, build_demucs, build_beats, build_singing]
)
def test_threads_hear_what_each_would_hear_alone(
    build: Callable[[int, Path], Stage],
    tmp_path: Path,
    sizes: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As many windows as in minutes of music.
    monkeypatch.setattr(
        "inference_service.rhythm.from_sound.neural_beats.WINDOW_FRAMES", round(1.5 * FRAMES_PER_S)
    )
    monkeypatch.setattr(singing, "WINDOW_FRAMES", 60)
    recordings = [
        Waveform(build_noise(length_s, rate_hz=RATE_HZ, seed=seed)[None], RATE_HZ)
        for seed, length_s in enumerate(LENGTHS_S)
    ]
    alone = build(1, tmp_path)
    expected = [alone(recording) for recording in recordings]
    assert set(sizes) == {1}
    sizes.clear()

    together = build(4, tmp_path)
    start = threading.Barrier(len(recordings))

    def hear(recording: Waveform) -> Any:
        start.wait(20.0)
        return together(recording)

    with ThreadPoolExecutor(len(recordings)) as threads:
        heard = list(threads.map(hear, recordings))
    for found, wanted in zip(heard, expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-3 if build is build_tagger else 1e-5)
    assert 1 < max(sizes) <= 4
