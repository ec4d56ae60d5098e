"""Recordings are described by what the note tagger hears, and rated by a linear network."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from inference_service.audio.waveform import Waveform
from inference_service.checkpoint import load_network, save_network
from inference_service.tagger.notes.kinds import FEATURES, KINDS, KindListener, KindNet, describe
from inference_service.tagger.notes.network import NoteNet
from inference_service.tagger.notes.tagger import TransformerTagger
from inference_service.tagger.notes.timbre import TimbreNet
from tests.factories import RATE_HZ, build_noise, build_scale, sing


@pytest.fixture(scope="module")
def tagger() -> TransformerTagger:
    torch.manual_seed(3)
    return TransformerTagger(NoteNet().eval(), TimbreNet().eval())


@pytest.mark.parametrize("length", [1, 4410, RATE_HZ])
@pytest.mark.parametrize("loud", [False, True])
def test_any_sound_can_be_described(tagger: TransformerTagger, length: int, loud: bool) -> None:
    samples = build_noise(length / RATE_HZ)[:length] if loud else np.zeros(length, np.float32)
    features = describe(*tagger.listen(Waveform(samples[None], RATE_HZ)), KindNet())
    assert features.shape == (FEATURES,)
    assert np.isfinite(features).all()


def test_the_level_of_a_recording_makes_no_difference(tagger: TransformerTagger) -> None:
    loud = sing(build_scale())
    soft = Waveform(loud.samples * np.float32(0.1), loud.sample_rate_hz)
    network = KindNet().eval()
    first, second = (describe(*tagger.listen(sound), network) for sound in (loud, soft))
    np.testing.assert_allclose(first, second, rtol=0.02, atol=0.02)


def test_another_head_of_families_makes_no_difference(tagger: TransformerTagger) -> None:
    """The tagger's can be trained again without fitting the network again."""
    inputs, logits = tagger.listen(sing(build_scale()))
    network = KindNet().eval()
    other = logits._replace(family=logits.family + 3.0)
    first, second = (describe(inputs, heard, network) for heard in (logits, other))
    np.testing.assert_array_equal(first, second)


def test_a_rating_is_a_distribution(tagger: TransformerTagger) -> None:
    rated = KindListener(tagger, KindNet().eval()).rate(sing(build_scale()))
    assert tuple(rated) == KINDS
    assert sum(map(math.exp, rated.values())) == pytest.approx(1.0)


def test_a_saved_network_rates_alike(tmp_path: Path) -> None:
    network = KindNet()
    network.mean.copy_(torch.randn(FEATURES))
    save_network(network, tmp_path / "kinds.safetensors")
    features = torch.randn(2, FEATURES)
    with torch.inference_mode():
        kept = load_network(tmp_path / "kinds.safetensors", KindNet)(features)
        torch.testing.assert_close(kept, network(features))
