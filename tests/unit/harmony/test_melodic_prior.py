"""The tables of a melodic prior, written and read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from inference_service.errors import ModelRejected
from inference_service.harmony.melodic_prior import DEGREES, INTERVALS, MelodicPrior, load_prior


def build_prior(seed: int = 0) -> MelodicPrior:
    random = np.random.default_rng(seed)
    shapes = (2, DEGREES), (2, DEGREES, INTERVALS), (2, INTERVALS, DEGREES, INTERVALS), (2, DEGREES)
    return MelodicPrior(*(random.random(shape, np.float32) for shape in shapes))


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    prior = build_prior()
    prior.save(tmp_path / "prior.safetensors", {"melodies": "3"})
    loaded = load_prior(tmp_path / "prior.safetensors")
    assert np.array_equal(loaded.following, prior.following)
    assert np.array_equal(loaded.last, prior.last)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_prior(tmp_path / "absent.safetensors")
    (tmp_path / "text.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelRejected):
        load_prior(tmp_path / "text.safetensors")
    save_file({"first": np.zeros((2, 12), np.float32)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelRejected, match="melodic prior"):
        load_prior(tmp_path / "other.safetensors")
