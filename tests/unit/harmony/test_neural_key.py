"""Keys from the sound by a random network: its order of keys, its contract, other files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inference_service.audio.waveform import Waveform
from inference_service.errors import ModelRejected
from inference_service.harmony.key import KeyProfileEstimator
from inference_service.harmony.key_network import KeyNetwork, load_published
from inference_service.harmony.neural_key import NeuralKeyEstimator
from inference_service.music.events import ChordSegment, NoteEvent
from inference_service.music.keys import Key
from tests.factories import build_noise, build_notes, build_scale
from tests.unit.harmony.key_checkpoints import build_key_network, build_s_key, encode_checkpoint

NOTES = [NoteEvent(0.5 * n, 0.5 * n + 0.4, 62 + step) for n, step in enumerate((0, 4, 7, 12))]
CHORDS = [ChordSegment(0.0, 2.0, "D:maj")]


@pytest.fixture(scope="module")
def estimator(tmp_path_factory: pytest.TempPathFactory) -> NeuralKeyEstimator:
    path = tmp_path_factory.mktemp("weights") / "skey.pt"
    path.write_bytes(build_s_key())
    return NeuralKeyEstimator(load_published(path))


class _Answer(nn.Module):
    """Gives one output a greater probability than the others."""

    def __init__(self, output: int) -> None:
        super().__init__()
        self._output = output

    def forward(self, spectrogram: Tensor) -> Tensor:
        assert spectrogram.shape[1:3] == (1, 84)
        return 5.0 * torch.eye(24)[self._output].reshape(1, 2, 12)


@pytest.mark.parametrize(
    ("output", "key"),
    [
        (0, Key("A", "major")),
        (3, Key("C", "major")),
        (10, Key("G", "major")),
        (12, Key("B", "minor")),
        (13, Key("C", "minor")),
        (22, Key("A", "minor")),
    ],
)
def test_the_outputs_are_keys_from_a_major_and_b_minor_on(output: int, key: Key) -> None:
    network = KeyNetwork().eval()
    network.chromanet = _Answer(output)  # type: ignore[assignment]
    best, second, *_ = NeuralKeyEstimator(network).estimate([], [], build_notes(build_scale()))
    assert best.key == key
    assert best.probability == pytest.approx(np.exp(5) / (np.exp(5) + 23), rel=1e-4)
    assert second.probability == pytest.approx(1 / (np.exp(5) + 23), rel=1e-4)


@pytest.mark.parametrize("length", [1, 1000, 44_100, 300_000])
def test_any_sound_has_keys(estimator: NeuralKeyEstimator, length: int) -> None:
    keys = estimator.estimate([], [], Waveform(build_noise(7.0)[None, :length], 44_100))
    assert len({estimate.key for estimate in keys}) == 24
    probabilities = [estimate.probability for estimate in keys]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1.0, abs=1e-4)


def test_loudness_does_not_count(estimator: NeuralKeyEstimator) -> None:
    samples = build_noise(5.0)[None]
    loud, quiet = Waveform(samples, 44_100), Waveform(samples * np.float32(0.01), 44_100)
    np.testing.assert_allclose(estimator.predict(quiet), estimator.predict(loud), atol=1e-3)


@pytest.mark.parametrize("waveform", [None, Waveform(np.zeros((1, 9000), np.float32), 22_050)])
def test_without_sound_notes_and_chords_tell(
    estimator: NeuralKeyEstimator, waveform: Waveform | None
) -> None:
    expected = KeyProfileEstimator().estimate(NOTES, CHORDS)
    assert estimator.estimate(NOTES, CHORDS, waveform) == expected


def test_other_files_are_refused(tmp_path: Path) -> None:
    state = build_key_network().state_dict()
    name = "chromanet.classifier.bias"
    path = tmp_path / "skey.pt"
    for content in (
        b"",
        b"no checkpoint",
        encode_checkpoint(None),
        encode_checkpoint({key: value for key, value in state.items() if key != name}),
        encode_checkpoint(state | {name: torch.full_like(state[name], torch.nan)}),
    ):
        path.write_bytes(content)
        with pytest.raises(ModelRejected, match=r"skey\.pt"):
            load_published(path)
