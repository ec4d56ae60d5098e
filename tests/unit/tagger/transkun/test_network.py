"""The faster computation of Transkun gives the package's results."""

from __future__ import annotations

import pytest
import torch
from transkun.ModelTransformer import ModelConfig, TransKun
from transkun.Util import makeFrame

from inference_service.tagger.transkun.network import FastTransKun

RATE_HZ = 44_100


@pytest.fixture(scope="module")
def theirs() -> TransKun:
    torch.manual_seed(1)
    config = ModelConfig()
    config.baseSize, config.nHead, config.nLayers = 16, 2, 2
    model = TransKun(conf=config)
    with torch.no_grad():  # the branches are nearly nothing at first
        for layer in model.backbone.encoderLayers:
            for block in layer.children():
                block.scale.fill_(0.7)
    model.backbone.useGradientCheckpoint = False
    return model.eval()


def convert(theirs: TransKun, dtype: torch.dtype) -> FastTransKun:
    model: FastTransKun = FastTransKun(conf=theirs.conf)
    model.load_state_dict(theirs.state_dict())
    model.eval()
    return model.simplify(dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.05)])
def test_gives_the_features_and_paths_of_the_package(
    theirs: TransKun, dtype: torch.dtype, tolerance: float
) -> None:
    samples = torch.randn(1, 2 * RATE_HZ)
    frames = makeFrame(samples, theirs.hopSize, theirs.windowSize).unsqueeze(0)
    starts = [0, 5, *([3] * (len(theirs.targetMIDIPitch) - 2))]
    with torch.inference_mode():
        wanted, features = theirs.processFramesBatch(frames)
        found, own = convert(theirs, dtype).processFramesBatch(frames)
        torch.testing.assert_close(own, features, rtol=tolerance, atol=tolerance)
        if dtype is torch.float32:
            paths = wanted.decode(forcedStartPos=starts, forward=False)
            assert found.decode(starts, False) == paths
            assert any(paths)
