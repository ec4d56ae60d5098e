"""Decoding of intervals, compared with the package's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transkun.CRF import NeuralSemiCRFInterval

from inference_service.tagger.transkun.semi_markov import decode

KEYS, FRAMES = 7, 23


@pytest.mark.parametrize("seed", range(8))
def test_finds_the_paths_that_the_package_finds(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.normal(-0.5, 1.0, (KEYS, FRAMES, FRAMES)).astype(np.float32)
    single = random.normal(-0.5, 1.0, (KEYS, FRAMES)).astype(np.float32)
    starts = random.integers(0, FRAMES, KEYS).tolist()
    lengths = np.abs(np.subtract.outer(np.arange(FRAMES), np.arange(FRAMES)))
    whole = scores * lengths + np.stack([np.diag(row) for row in single])
    theirs = NeuralSemiCRFInterval(
        torch.from_numpy(whole.astype(np.float32)).permute(1, 2, 0).contiguous(),
        torch.zeros(FRAMES - 1, KEYS),
    )
    paths = [decode(*key) for key in zip(scores, single, starts, strict=True)]
    assert paths == theirs.decode(starts, False)
    assert any(paths)


def test_finds_nothing_where_every_interval_costs() -> None:
    scores = np.full((5, 5), -1.0, np.float32)
    assert decode(scores, np.full(5, -1.0, np.float32), 0) == []


def test_an_interval_may_begin_where_another_ends() -> None:
    scores = np.full((5, 5), -1.0, np.float32)
    scores[2, 0] = scores[4, 2] = 1.0
    assert decode(scores, np.full(5, -1.0, np.float32), 0) == [(0, 2), (2, 4)]
