"""Files of networks: they come back exactly, and no other network's are taken."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from inference_service.audio.spectrogram import SpectrogramConfig, build_spectrogram
from inference_service.checkpoint import (
    Network,
    load_network,
    load_weights,
    read_metadata,
    save_network,
)
from inference_service.errors import ModelRejected


@dataclass(frozen=True, slots=True)
class SmallConfig:
    sizes: tuple[int, int] = (3, 4)
    name: str = "small"


class Small(Network):
    """A layer, and a spectrogram whose kernels are computed."""

    config_class = SmallConfig
    config: SmallConfig

    def __init__(self, config: SmallConfig) -> None:
        super().__init__()
        self.config = config
        self.layer = nn.Linear(*config.sizes)
        self.norm = nn.BatchNorm1d(config.sizes[-1])
        self.spectrogram = build_spectrogram(SpectrogramConfig("mel", 8000, 0.02, 8))


class Other(Small):
    pass


@pytest.fixture(name="network")
def build_network() -> Small:
    torch.manual_seed(0)
    return Small(SmallConfig((5, 2), "mine"))


@pytest.fixture(name="path")
def save(network: Small, tmp_path: Path) -> Path:
    save_network(network, tmp_path / "small.safetensors", {"steps": "7"})
    return tmp_path / "small.safetensors"


def test_a_network_comes_back_with_its_configuration(network: Small, path: Path) -> None:
    again = load_network(path, Small)
    assert again.config == network.config
    assert not again.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


def test_computed_kernels_are_not_stored(network: Small, path: Path) -> None:
    assert not any("spectrogram" in name for name in load_file(path))
    samples = torch.randn(1, 4000)
    assert torch.equal(load_network(path, Small).spectrogram(samples), network.spectrogram(samples))


def test_a_file_tells_what_it_holds(path: Path) -> None:
    metadata = read_metadata(path)
    assert metadata["network"] == "Small"
    assert metadata["steps"] == "7"


def test_half_precision_is_stored_and_not_run(network: Small, tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    save_network(network, path, precision=torch.float16)
    stored = load_file(path)
    assert stored["layer.weight"].dtype == torch.float16
    assert stored["norm.num_batches_tracked"].dtype == torch.int64
    assert load_network(path, Small).layer.weight.dtype == torch.float32
    torch.testing.assert_close(load_network(path, Small).layer.weight, network.layer.weight,
                               atol=1e-3, rtol=1e-3)  # fmt: skip


def test_a_new_field_with_a_default_keeps_old_files(network: Small, tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    tensors = Small(SmallConfig()).state_dict()
    save_file(tensors, path, {"network": "Small", "config": "{}"})
    assert load_network(path, Small).config == SmallConfig()


def test_a_network_of_another_class_is_refused(path: Path) -> None:
    with pytest.raises(ModelRejected, match="a Small instead of a Other") as error:
        load_network(path, Other)
    assert error.value.code == "MODEL_REJECTED"
    assert error.value.params == {"model": "small"}


def test_weights_of_another_size_are_refused(path: Path) -> None:
    with pytest.raises(ModelRejected, match="instead of"):
        load_weights(Small(SmallConfig((6, 2), "mine")), path)


@pytest.mark.parametrize(
    "metadata",
    [
        {"network": "Small"},
        {"network": "Small", "config": "{"},
        {"network": "Small", "config": '{"depth": 3}'},
        {"config": "{}"},
        {},
    ],
)
def test_metadata_that_do_not_fit_are_refused(metadata: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(Small(SmallConfig()).state_dict(), path, metadata)
    with pytest.raises(ModelRejected):
        load_network(path, Small)


def test_missing_and_unknown_tensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    metadata = {"network": "Small", "config": "{}"}
    tensors = Small(SmallConfig()).state_dict()
    for wrong in (
        {name: value for name, value in tensors.items() if name != "layer.bias"},
        {**tensors, "more": torch.zeros(1)},
        {**tensors, "layer.bias": torch.full((9,), math.pi)},
    ):
        save_file(wrong, path, metadata)
        with pytest.raises(ModelRejected, match="another version of Small"):
            load_network(path, Small)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelRejected):
        load_network(tmp_path / "w.safetensors", Small)
    with pytest.raises(FileNotFoundError):
        load_network(tmp_path / "none.safetensors", Small)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(
    network: Small, tmp_path: Path, value: float
) -> None:
    with torch.no_grad():
        network.layer.weight[0, 1] = value
    path = tmp_path / "broken.safetensors"
    save_network(network, path)
    with pytest.raises(ModelRejected, match="are not finite"):
        load_network(path, Small)
