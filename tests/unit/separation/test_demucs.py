"""Demucs with an untrained network, saved and loaded like real checkpoints."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import torch
from demucs.apply import apply_model

from inference_service.audio.waveform import Waveform
from inference_service.errors import Cancelled, ModelNotFetched, ModelRejected
from inference_service.progress import ignore
from inference_service.separation.checkpoints import load_demucs
from inference_service.separation.demucs import _UNFUSED_ATTENTION, TOLERANCE, DemucsSeparator
from tests.factories import STEMS, build_noise, build_tiny_demucs, publish_demucs, save_tiny_demucs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkpoints, and a bag that takes the vocals from the second."""
    path = tmp_path_factory.mktemp("demucs")
    torch.manual_seed(0)
    save_tiny_demucs(path, "abcd1234")
    save_tiny_demucs(path, "ef567890")
    (path / "tiny_ft.yaml").write_text(
        "models: ['abcd1234', 'ef567890']\nweights: [[1, 1, 1, 0], [0, 0, 0, 1]]\n"
    )
    return path


def _mixture(duration_s: float, channels: int = 2, rate_hz: int = 44100) -> Waveform:
    rows = [build_noise(duration_s, rate_hz=rate_hz, seed=seed) for seed in range(channels)]
    return Waveform(np.stack(rows), rate_hz)


@pytest.mark.parametrize("name", ["abcd1234", "tiny_ft"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("duration_s", "rate_hz"), [(0.1, 44100), (4.0, 44100), (2.0, 16000)])
def test_stems_look_like_the_mixture(
    folder: Path, name: str, channels: int, duration_s: float, rate_hz: int
) -> None:
    mixture = _mixture(duration_s, channels, rate_hz)
    separator = DemucsSeparator(load_demucs(name, folder))
    stems = separator.separate(mixture, ignore)

    assert tuple(stems) == STEMS == separator.stems
    for stem in stems.values():
        assert stem.samples.shape == mixture.samples.shape
        assert stem.sample_rate_hz == rate_hz
        assert stem.samples.dtype == np.float32
        assert np.isfinite(stem.samples).all()


def test_a_bag_takes_each_stem_from_its_own_network(folder: Path) -> None:
    mixture = _mixture(2.0)
    first, second, bag = (
        DemucsSeparator(load_demucs(name, folder)).separate(mixture, ignore)
        for name in ("abcd1234", "ef567890", "tiny_ft")
    )
    np.testing.assert_allclose(bag["bass"].samples, first["bass"].samples, atol=1e-6)
    np.testing.assert_allclose(bag["vocals"].samples, second["vocals"].samples, atol=1e-6)
    assert np.abs(first["vocals"].samples - second["vocals"].samples).max() > 1e-4


def test_is_repeatable_and_leaves_the_mixture_alone(folder: Path) -> None:
    mixture = _mixture(2.0)
    before = mixture.samples.copy()
    separator = DemucsSeparator(load_demucs("abcd1234", folder))
    once, again = (separator.separate(mixture, ignore)["other"].samples for _ in range(2))
    np.testing.assert_array_equal(once, again)
    np.testing.assert_array_equal(mixture.samples, before)


def test_silence_stays_finite(folder: Path) -> None:
    silence = Waveform(np.zeros((1, 30000), np.float32), 44100)
    stems = DemucsSeparator(load_demucs("abcd1234", folder)).separate(silence, ignore)
    assert all(np.isfinite(stem.samples).all() for stem in stems.values())


@pytest.mark.parametrize("name", ["abcd1234", "tiny_ft"])
@pytest.mark.parametrize("shifts", [0, 2])
def test_reports_progress_in_order(folder: Path, name: str, shifts: int) -> None:
    fractions: list[float] = []
    separator = DemucsSeparator(load_demucs(name, folder), shifts=shifts)
    separator.separate(_mixture(6.0), fractions.append)
    assert fractions == sorted(fractions)
    assert fractions[0] == 0.0
    assert fractions[-1] == 1.0
    assert len(set(fractions)) > 4


def test_cancels_and_can_be_used_again(folder: Path) -> None:
    calls = 0

    def cancel(fraction: float) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Cancelled("the caller went away")

    model = load_demucs("abcd1234", folder)
    separator = DemucsSeparator(model)
    with pytest.raises(Cancelled):
        separator.separate(_mixture(6.0), cancel)
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert separator.separate(_mixture(1.0), ignore).keys() == set(STEMS)


def test_reports_within_a_segment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment of a full-size network takes more than ten seconds on a CPU."""
    monkeypatch.setattr("inference_service.separation.demucs.REPORT_INTERVAL_S", 0.0)
    fractions: list[float] = []
    DemucsSeparator(load_demucs("abcd1234", folder)).separate(_mixture(0.5), fractions.append)
    assert len(fractions) > 20


def test_unknown_model(folder: Path, tmp_path: Path) -> None:
    for place in (folder, tmp_path / "absent"):
        with pytest.raises(ModelNotFetched) as caught:
            load_demucs("htdemucs", place)
        assert caught.value.params == {"task": "separation", "model": "htdemucs"}


def test_damaged_checkpoint(tmp_path: Path) -> None:
    checkpoint = save_tiny_demucs(tmp_path)
    data = bytearray(checkpoint.read_bytes())
    data[len(data) // 2] ^= 1
    checkpoint.write_bytes(data)
    with pytest.raises(ModelRejected, match="checksum"):
        load_demucs("abcd1234", tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x80\x04N."])
def test_something_else_than_a_checkpoint(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "abcd1234.th").write_bytes(content)
    with pytest.raises(ModelRejected):
        load_demucs("abcd1234", tmp_path)


def test_bag_without_its_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "bag.yaml").write_text("models: ['955717e8']\n")
    with pytest.raises(ModelRejected, match="955717e8"):
        load_demucs("bag", tmp_path)


def test_network_without_vocals(tmp_path: Path) -> None:
    save_tiny_demucs(tmp_path, sources=("kick", "snare"))
    with pytest.raises(ModelRejected, match="no vocals"):
        load_demucs("abcd1234", tmp_path)


@pytest.mark.parametrize("kind", ["Demucs", "HDemucs", "HTDemucs"])
@pytest.mark.parametrize("overlap", [0.25, 0.5])
def test_blocks_equal_the_whole_by_demucs_itself(kind: str, overlap: float) -> None:
    torch.manual_seed(1)
    model = build_tiny_demucs(kind).eval()
    noise = build_noise(9.3, rate_hz=model.samplerate)
    mixture = Waveform(np.stack([noise, 0.5 * noise[::-1]]), model.samplerate)
    heard = DemucsSeparator(model, overlap=overlap).separate(mixture, ignore)
    mix = torch.from_numpy(mixture.samples)
    mono = mix.mean(0)
    deviation = mono.std(correction=0) + 1e-8
    with torch.no_grad():
        whole = apply_model(
            model, ((mix - mono.mean()) / deviation)[None], shifts=0, overlap=overlap
        )[0]
    expected = (whole * deviation + mono.mean()).numpy()
    peak = float(np.abs(mixture.samples).max())
    for stem, wanted in zip(heard.values(), expected, strict=True):
        np.testing.assert_allclose(stem.samples, wanted, atol=TOLERANCE * max(peak, 1.0) * 10)


def test_two_stems_are_the_vocals_and_the_sum_of_the_others(folder: Path) -> None:
    model = load_demucs("abcd1234", folder)
    mixture = Waveform(build_noise(3.0)[None], 44100)
    every = DemucsSeparator(model).separate(mixture, ignore)
    two = DemucsSeparator(model, stems="two").separate(mixture, ignore)
    assert list(two) == ["vocals", "accompaniment"]
    others = sum(stem.samples for name, stem in every.items() if name != "vocals")
    np.testing.assert_allclose(two["accompaniment"].samples, others, atol=1e-5)
    np.testing.assert_allclose(two["vocals"].samples, every["vocals"].samples, atol=1e-6)


@pytest.mark.parametrize("kind", ["Demucs", "HDemucs", "HTDemucs"])
def test_safetensors_of_the_hub_are_the_same_network(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(2)
    pickled, published = tmp_path / "pickled", tmp_path / "published"
    pickled.mkdir()
    published.mkdir()
    checkpoint = save_tiny_demucs(pickled, "abcd1234", kind=kind)
    publish_demucs(checkpoint).rename(published / "abcd1234.safetensors")
    first, again = load_demucs("abcd1234", pickled), load_demucs("abcd1234", published)
    for value, other in zip(first.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(value, other)


def test_safetensors_that_name_other_classes_are_refused(tmp_path: Path) -> None:
    checkpoint = save_tiny_demucs(tmp_path, "abcd1234")
    publish_demucs(checkpoint, klass="os.system").rename(tmp_path / "evil.safetensors")
    with pytest.raises(ModelRejected, match="not a Demucs network"):
        load_demucs("evil", tmp_path)


def test_threads_separate_at_once_and_leave_attention_as_it_was(folder: Path) -> None:
    separator = DemucsSeparator(load_demucs("abcd1234", folder))
    mixtures = [_mixture(2.0), _mixture(3.0)]
    expected = [separator.separate(mixture, ignore)["bass"].samples for mixture in mixtures]
    before = torch.backends.mha.get_fastpath_enabled()
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(lambda m: separator.separate(m, ignore), mixtures))
    for stems, wanted in zip(together, expected, strict=True):
        np.testing.assert_array_equal(stems["bass"].samples, wanted)
    assert torch.backends.mha.get_fastpath_enabled() == before


def test_the_last_thread_puts_the_setting_of_attention_back() -> None:
    before = torch.backends.mha.get_fastpath_enabled()
    first, second = ExitStack(), ExitStack()
    first.enter_context(_UNFUSED_ATTENTION)
    second.enter_context(_UNFUSED_ATTENTION)
    first.close()
    assert not torch.backends.mha.get_fastpath_enabled()
    second.close()
    assert torch.backends.mha.get_fastpath_enabled() == before
