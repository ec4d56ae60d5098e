"""Recognises the kind of a recording by what the note tagger hears in it.

An excerpt is described by averages of the tagger's outputs and features: how many notes sound
together and begin together, their register and steadiness, the families of instruments, the strokes
of percussion, and the features of sounding notes and of the whole spectrum. A linear network,
trained by :mod:`model_zoo.training.kinds`, maps these to the probabilities of :data:`KINDS`.

The families are not those that the tagger names: the network has a head of its own for them, the
one that the tagger had when the network was fitted. A better head would average to other figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inference_service.audio.waveform import Waveform
from inference_service.checkpoint import Network, load_network
from inference_service.model_files import ModelFiles
from inference_service.music.events import NoteEvent
from inference_service.music.families import FAMILIES
from inference_service.progress import Report
from inference_service.settings import ModelSettings
from inference_service.tagger.notes.network import PITCHES, HeadInputs, Logits
from inference_service.tagger.notes.tagger import TransformerTagger, load_tagger

KINDS: Final = ("voice", "solo", "guitar", "piano", "ensemble", "song", "drums", "nothing")
"""``song`` has a voice and instruments, ``ensemble`` instruments without a voice, ``solo`` one
melodic instrument; ``nothing`` is speech or noise."""

FEATURES: Final = 520
SOUNDING: Final = 0.35
BEGINNING: Final = 0.4
"""Least probabilities of notes that are counted."""

_FRAMES_PER_S: Final = 50.0
_TINY: Final = 1e-6


@dataclass(frozen=True, slots=True)
class KindNetConfig:
    """Configuration of the network.

    Attributes
    ----------
    features : int
    kinds : tuple of str
        In the order of the outputs.
    channels, family_width : int
        Size of :attr:`.network.HeadInputs.places`, and of the hidden layer of the head of families.
    """

    features: int = FEATURES
    kinds: tuple[str, ...] = KINDS
    channels: int = 96
    family_width: int = 128


class KindNet(Network):
    """Features ``(B, F)`` to log probabilities of kinds ``(B, K)``.

    Attributes
    ----------
    families : nn.Module
        Features of notes ``(..., C)`` to log odds of families. It is not trained, but copied.
    """

    config_class = KindNetConfig
    config: KindNetConfig
    mean: Tensor
    scale: Tensor

    def __init__(self, config: KindNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or KindNetConfig()
        self.register_buffer("mean", torch.zeros(config.features))
        self.register_buffer("scale", torch.ones(config.features))
        self.linear = nn.Linear(config.features, len(config.kinds))
        self.families = nn.Sequential(
            nn.LayerNorm(config.channels),
            nn.Linear(config.channels, config.family_width),
            nn.ReLU(),
            nn.Linear(config.family_width, len(FAMILIES)),
        ).requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        scores: Tensor = self.linear((features - self.mean) / self.scale)
        return scores.log_softmax(-1)


class KindListener:
    """Tells the kind of an excerpt.

    Parameters
    ----------
    tagger : TransformerTagger
        The one with whose features the network was trained.
    network : KindNet
    """

    def __init__(self, tagger: TransformerTagger, network: KindNet) -> None:
        self._tagger = tagger
        self._network = network

    def tag(self, waveform: Waveform, tuning_cents: float, report: Report) -> list[NoteEvent]:
        """Return the notes that the tagger hears."""
        return self._tagger.tag(waveform, tuning_cents, report)

    def rate(self, excerpt: Waveform) -> Mapping[str, float]:
        """Return the log probability of each of :data:`KINDS`."""
        features = torch.from_numpy(describe(*self._tagger.listen(excerpt), self._network))
        with torch.inference_mode():
            rated = self._network(features[None])[0]
        return dict(zip(self._network.config.kinds, rated.tolist(), strict=True))


def build(entry: ModelFiles, settings: ModelSettings) -> KindListener:
    """Build the listener from the files of the note tagger: its network, and that of kinds."""
    weights, timbre, kinds = entry.paths(settings.weights)
    tagger = load_tagger(weights, timbre, settings.device_name)
    return KindListener(tagger, load_network(kinds, KindNet))


def describe(inputs: HeadInputs, logits: Logits, network: KindNet) -> NDArray[np.float32]:
    """Return the features of an excerpt, shape (520,), from the inputs and outputs of the tagger's
    heads, and the network's own head of families.
    """
    frames = inputs.frames
    frame, onset = torch.sigmoid(logits.frame[0]), torch.sigmoid(logits.onset[0])
    weight = frame / (frame.sum() + _TINY)
    strokes = torch.sigmoid(logits.drum_onset[0])
    places = inputs.places[0, :, :frames].float()
    unpitched = inputs.unpitched[0].float()
    families = torch.sigmoid(network.families(places.permute(1, 2, 0).cpu()))
    features = [
        _describe_notes(frame, onset, weight),
        _describe_pitches(logits, frame, weight),
        (families * weight.cpu()[..., None]).sum((0, 1)).to(weight.device),
        torch.log1p(_rate(_peaks(strokes))),
        torch.log1p(strokes.mean(0)),
        (places * weight).sum((1, 2)),
        unpitched.mean(0),
        unpitched.std(0),
    ]
    described: NDArray[np.float32] = torch.cat(features).cpu().numpy().astype(np.float32)
    return described


def _describe_notes(frame: Tensor, onset: Tensor, weight: Tensor) -> Tensor:
    """Return how many notes sound at once and begin at once, and how surely."""
    together = (frame > SOUNDING).sum(1).float()
    is_sounding = together > 0
    counts = together[is_sounding] if bool(is_sounding.any()) else torch.zeros(1)
    begins = _peaks(onset)
    return torch.stack(
        [
            counts.mean(),
            *((counts >= least).float().mean() for least in (2, 3, 5)),
            is_sounding.float().mean(),
            _rate(begins).sum() / 5,
            begins.sum() / (begins.any(1).sum() + _TINY),
            frame.max(1).values.mean(),
            onset.max(1).values.mean(),
        ]
    )


def _describe_pitches(logits: Logits, frame: Tensor, weight: Tensor) -> Tensor:
    """Return the register, the deviation from it and from the semitones, and how notes end."""
    pitches = torch.arange(PITCHES, device=frame.device).float()
    share = weight.sum(0)
    middle = (share * pitches).sum()
    spread = (share * (pitches - middle) ** 2).sum().sqrt()
    bend = logits.bend[0]
    both = frame[1:] * frame[:-1]
    wobble = (bend.diff(dim=0).abs() * both).sum() / (both.sum() + _TINY)
    ending = (torch.sigmoid(logits.offset[0]) * weight).sum()
    return torch.stack([middle / 44, spread / 12, (bend.abs() * weight).sum(), wobble, ending])


def _peaks(activations: Tensor) -> Tensor:
    """Return where activations ``(T, N)`` have a peak that counts."""
    before, after = activations.roll(1, 0), activations.roll(-1, 0)
    return (activations > BEGINNING) & (activations > before) & (activations >= after)


def _rate(peaks: Tensor) -> Tensor:
    """Return the number of peaks per second."""
    return peaks.sum(0) / (len(peaks) / _FRAMES_PER_S)
