"""Transkun's network, computed with fewer and larger operations.

The weights are those of the package ``transkun``, and so are the results, up to rounding:

- Keys and values of an attention are one product, and the scale of each residual branch is part of
  its last weights.
- The products of the encoder are computed in bfloat16 by processors with instructions for it; the
  residual stream and everything outside the encoder stay in float32.
- Intervals are scored and decoded one key after another, by :mod:`.semi_markov`, with a ninetieth
  of the memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import torch
import transkun.ModelTransformer as package  # noqa: N813  a module, by its role
from torch import Tensor, nn
from torch.nn import functional as F

from inference_service.tagger.transkun.semi_markov import Intervals, decode

NORM_EPSILON: Final = 1e-6


class FastTransKun(package.TransKun):  # type: ignore[misc]
    """The package's model, to be converted by :meth:`simplify` once its weights are loaded."""

    def simplify(self, dtype: torch.dtype) -> FastTransKun:
        """Replace the encoder by a faster one that computes products in ``dtype``."""
        layers = [_Layer(layer, dtype) for layer in self.backbone.encoderLayers]
        self.backbone.encoderLayers = nn.ModuleList(layers)
        self.backbone.upConv1dSkip = _Spread(self.backbone.upConv1dSkip)
        self.backbone.useGradientCheckpoint = False  # only of use in training
        return self

    def processFramesBatch(self, frames: Tensor) -> tuple[_IntervalScores, Tensor]:  # noqa: N802
        """Return the intervals to decode and the features of frames ``(1, C, T, N)``."""
        mean = frames.mean((1, 2, 3), keepdim=True)
        deviation = frames.std((1, 2, 3), keepdim=True)
        spectra = self.framewiseFeatureExtractor((frames - mean) / (deviation + 1e-8))
        keys = torch.tensor(self.targetMIDIPitch, device=frames.device)
        features = self.backbone(spectra.flatten(0, 1), outputIndices=keys)
        return _IntervalScores(self.scorer, features[0]), features


class _IntervalScores:
    """Scores of the intervals of keys, from features ``(K, T, C)``; replaces the package's CRF."""

    def __init__(self, scorer: Any, features: Tensor) -> None:
        size = scorer.size
        ends, begins, single = scorer.map(features).split([size, size, 1], -1)
        self._ends, self._begins = ends / math.sqrt(size), begins.transpose(-1, -2)
        self._single = single.squeeze(-1).cpu().numpy()

    def decode(self, forcedStartPos: Sequence[int], forward: bool) -> list[Intervals]:  # noqa: N803
        """Return the best path of each key, from given frames on."""
        return [
            decode((ends @ begins).cpu().numpy(), single, start)
            for ends, begins, single, start in zip(
                self._ends, self._begins, self._single, forcedStartPos, strict=True
            )
        ]


class _Layer(nn.Module):
    """Attention and a feed-forward layer over frequencies, then over time: ``(B, T, F, C)``.

    Both attentions take keys and values from the layer's input, without normalisation.
    """

    def __init__(self, layer: Any, dtype: torch.dtype) -> None:
        super().__init__()
        self.over_frequency = _Attention(layer.mhaBlockF, dtype)
        self.after_frequency = _FeedForward(layer.fnnBlockF, dtype)
        self.over_time = _Attention(layer.mhaBlockT, dtype)
        self.after_time = _FeedForward(layer.fnnBlockT, dtype)

    def forward(self, x: Tensor) -> Tensor:
        memory = x.to(self.over_time.dtype)
        x = self.after_frequency(self.over_frequency(x, memory))
        x, memory = x.transpose(1, 2), memory.transpose(1, 2)
        x = self.after_time(self.over_time(x, memory))
        return x.transpose(1, 2)


class _Attention(nn.Module):
    """Multi-head attention along the third axis of ``(B, X, L, C)``, with a residual connection."""

    def __init__(self, block: Any, dtype: torch.dtype) -> None:
        super().__init__()
        attention = block.module
        self.dtype = dtype
        self.heads = attention.num_heads
        self.ask = _freeze(attention.q_proj_weight.T, None, dtype)
        remembered = (attention.k_proj_weight, attention.v_proj_weight)
        self.remember = _freeze(torch.cat(remembered, 1).T, None, dtype)
        self.leave = _scale(attention.out_proj, block.scale, dtype)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        heads = (self.heads, -1)
        query = self.ask(_normalise(x, self.dtype)).unflatten(-1, heads).flatten(0, 1)
        remembered = self.remember(memory).unflatten(-1, (2, *heads)).flatten(0, 1)
        key, value = remembered.transpose(1, 3).unbind(2)
        mixed = F.scaled_dot_product_attention(query.transpose(1, 2), key, value)
        left: Tensor = self.leave(mixed.transpose(1, 2).flatten(2))
        return x + left.view_as(x)


class _FeedForward(nn.Module):
    """A layer with one hidden layer, with a residual connection."""

    def __init__(self, block: Any, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        widen, _, _, narrow = block.module
        self.widen = _freeze(widen.weight, widen.bias, dtype)
        self.narrow = _scale(narrow, block.scale, dtype)

    def forward(self, x: Tensor) -> Tensor:
        narrowed: Tensor = self.narrow(F.gelu(self.widen(_normalise(x, self.dtype))))
        return x + narrowed


class _Spread(nn.Module):
    """The transposed convolution ``(B, C, L)`` to ``(B, C, L * stride)``, without overlap."""

    def __init__(self, convolution: nn.ConvTranspose1d) -> None:
        super().__init__()
        (self.stride,) = convolution.stride
        weight = convolution.weight.permute(2, 1, 0).flatten(0, 1)
        bias = None if convolution.bias is None else convolution.bias.repeat(self.stride)
        self.spread = _freeze(weight, bias, torch.float32)

    def forward(self, x: Tensor) -> Tensor:
        spread: Tensor = self.spread(x.transpose(1, 2))
        return spread.view(*spread.shape[:2], self.stride, -1).flatten(1, 2).transpose(1, 2)


def _normalise(x: Tensor, dtype: torch.dtype) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], None, NORM_EPSILON).to(dtype)


def _scale(linear: nn.Linear, scale: Tensor, dtype: torch.dtype) -> nn.Linear:
    """Return a layer whose outputs are scaled."""
    return _freeze(linear.weight * scale[:, None], linear.bias * scale, dtype)


def _freeze(weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device=weight.device)
    layer.weight = nn.Parameter(weight.detach().contiguous())
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach())
    return layer.to(dtype).requires_grad_(False)
