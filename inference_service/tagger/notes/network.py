"""The network that predicts which notes begin, sound and end in every fiftieth of a second.

It maps samples to log odds in five steps:

1. A log variable-Q spectrogram with three bins per semitone.
2. Two convolutions, then *harmonic mixing*: every pitch receives the semitones of its own
   harmonics, with weights shared by all pitches (after Wei, Li, Yu and Li, "HPPNet: Modeling
   the harmonic structure and pitch invariance in piano transcription", ISMIR 2022, who use dilated
   convolutions to the same end). From here on there are 88 pitches.
3. Residual convolutions over time and pitch, at full resolution.
4. A transformer on patches of two frames and four pitches, with one more token per patch of frames
   for unpitched sound. Each layer attends over time within a reach, then over the tokens of a frame
   (axial attention; Ho and others, "Axial attention in multidimensional transformers", 2019), with
   rotary positions in time (Su and others, "RoFormer", 2021).
5. The transformer's output is added to the convolutions' at full resolution and followed by more
   convolutions and the heads. The head of families sees the features before and after these.

Attention has a finite reach, and nothing else depends on the whole recording. An output depends on
:attr:`NoteNetConfig.context_frames` frames to either side, so that long recordings can be processed
in windows with the same result.

Onsets and offsets are represented by triangles around their exact times (Kong, Li, Song, Wan and
Wang, "High-resolution piano transcription with pedals by regressing onset and offset times", IEEE
TASLP 2021), from which :mod:`.decoding` computes times between frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inference_service.audio.spectrogram import (
    LogCompression,
    SpectrogramConfig,
    build_spectrogram,
)
from inference_service.checkpoint import Network
from inference_service.music.families import FAMILIES

LOWEST_PITCH: Final = 21
PITCHES: Final = 88
BINS_PER_SEMITONE: Final = 3
SEMITONES: Final = 103
"""Number of semitones of the spectrogram, from A0 up to 10 kHz."""

HARMONICS: Final = (-12, 0, 12, 19, 24, 28, 31, 34, 36, 40)
"""Semitones from a pitch to an octave below it and to its harmonics 1 to 8 and 10."""

DRUMS: Final = ("kick", "snare", "closed hat", "open hat", "tom", "crash", "ride", "other")
"""Percussion sounds that the heads distinguish."""

RARE_LOGIT: Final = -4.0
"""Initial bias of outputs for rare events."""
_PATCH: Final = (2, 4)


def divide_semitones(sample_rate_hz: int, hop_s: float, gamma_hz: float) -> SpectrogramConfig:
    """Return a spectrogram in which the middle one of a semitone's bins lies on its pitch."""
    return SpectrogramConfig(
        kind="vqt",
        sample_rate_hz=sample_rate_hz,
        hop_s=hop_s,
        bins=BINS_PER_SEMITONE * SEMITONES,
        f_min_hz=27.5 * 2.0 ** (-1 / (12 * BINS_PER_SEMITONE)),
        bins_per_octave=12 * BINS_PER_SEMITONE,
        gamma_hz=gamma_hz,
    )


@dataclass(frozen=True, slots=True)
class NoteNetConfig:
    """Configuration of the network.

    Attributes
    ----------
    sample_rate_hz : int
    hop_s : float
        Distance of frames.
    gamma_hz : float
        Additional bandwidth of the spectrogram's bands over constant-Q ones.
    floor : float
        Magnitude below which the spectrogram's scale is linear.
    front_end_channels, channels : int
        Channels of the first convolution, and of all others at full resolution.
    width, layers, heads : int
        Size of the transformer.
    reach : int
        Number of patches on either side that a layer attends to.
    before, after : tuple of int
        Dilations in time of the residual convolutions before and after the transformer.
    family_width : int
        Size of the hidden layer of the head of families.
    """

    sample_rate_hz: int = 22_050
    hop_s: float = 0.02
    gamma_hz: float = 6.0
    floor: float = 5e-4
    front_end_channels: int = 24
    channels: int = 48
    width: int = 192
    layers: int = 3
    heads: int = 6
    reach: int = 24
    before: tuple[int, ...] = (1, 2)
    after: tuple[int, ...] = (1, 2, 4)
    family_width: int = 128

    @property
    def spectrogram(self) -> SpectrogramConfig:
        """The spectrogram of step 1."""
        return divide_semitones(self.sample_rate_hz, self.hop_s, self.gamma_hz)

    @property
    def frame_rate_hz(self) -> float:
        """Frames in a second."""
        return self.spectrogram.frame_rate_hz

    @property
    def context_frames(self) -> int:
        """The number of frames to either side that an output depends on, a multiple of a patch."""
        convolutions = 2 + sum(d + 1 for d in (*self.before, *self.after)) + 1
        frames = convolutions + _PATCH[0] * (self.reach * self.layers + 1)
        return frames + frames % _PATCH[0]


class Logits(NamedTuple):
    """The network's outputs for every frame and pitch, or percussion sound: log odds, and ``bend``.
    Attributes
    ----------
    onset, offset, frame : torch.Tensor, shape (B, T, 88)
        A note begins, ends, sounds.
    velocity : torch.Tensor, shape (B, T, 88)
        Velocity as a share of 127, valid at onsets.
    bend : torch.Tensor, shape (B, T, 88)
        Deviation of the sounding pitch in semitones, positive if sharp.
    family : torch.Tensor, shape (B, T, 88, len(FAMILIES))
        A note of the family sounds, given that a note sounds.
    drum_onset, drum_velocity : torch.Tensor, shape (B, T, len(DRUMS))
        A stroke begins, and its velocity.
    """

    onset: Tensor
    offset: Tensor
    frame: Tensor
    velocity: Tensor
    bend: Tensor
    family: Tensor
    drum_onset: Tensor
    drum_velocity: Tensor


class HeadInputs(NamedTuple):
    """The inputs of the heads, with frames padded to whole patches.

    Attributes
    ----------
    pitches : torch.Tensor, shape (B, C, T, 88)
        Features after the last convolutions.
    places : torch.Tensor, shape (B, 2 C, T, 88)
        Features after and before the last convolutions.
    noises : torch.Tensor, shape (B, W, T)
        Features of each frame's whole spectrum.
    unpitched : torch.Tensor, shape (B, T / 2, W)
        The transformer's tokens for unpitched sound.
    frames : int
        Number of frames without padding.
    """

    pitches: Tensor
    places: Tensor
    noises: Tensor
    unpitched: Tensor
    frames: int


class NoteNet(Network):
    """Samples ``(B, N)`` at the network's rate to :class:`Logits` of ``N // hop + 1`` frames."""

    config_class = NoteNetConfig
    config: NoteNetConfig

    def __init__(self, config: NoteNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or NoteNetConfig()
        self.spectrogram = build_spectrogram(config.spectrogram)
        self.compression = LogCompression(config.floor)
        self.scale = nn.BatchNorm1d(config.spectrogram.bins)
        self.front_end = nn.Sequential(
            nn.Conv2d(1, config.front_end_channels, (3, 5), 1, (1, 2)),
            nn.ReLU(),
            nn.Conv2d(
                config.front_end_channels, config.channels, (3, 5), (1, BINS_PER_SEMITONE), (1, 1)
            ),
            _ChannelNorm(config.channels),
            nn.ReLU(),
        )
        self.harmonics = _HarmonicMixing(config.channels)
        self.before = nn.Sequential(*(_Residual(config.channels, d) for d in config.before))
        self.patches = nn.Conv2d(config.channels, config.width, _PATCH, _PATCH)
        self.unpitched = _Unpitched(config.channels, config.width)
        self.transformer = _Transformer(config)
        self.spread = nn.ConvTranspose2d(config.width, config.channels, _PATCH, _PATCH)
        self.after = nn.Sequential(*(_Residual(config.channels, d) for d in config.after))
        self.heads = nn.Conv2d(config.channels, 5, (3, 1), padding=(1, 0))
        self.families = nn.Sequential(
            _ChannelNorm(2 * config.channels),
            nn.Conv2d(2 * config.channels, config.family_width, 1),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Conv2d(config.family_width, len(FAMILIES), 1),
        )
        self.drum_heads = _DrumHeads(config.width)
        with torch.no_grad():  # rare events are improbable at first
            for head, rare in ((self.heads, 3), (self.drum_heads.heads, len(DRUMS))):
                if head.bias is not None:
                    head.bias[:rare] = RARE_LOGIT

    @property
    def kernel_samples(self) -> int:
        """Number of samples from which a frame's spectrum is computed."""
        return int(self.spectrogram.get_submodule("module").kernel_width)  # type: ignore[arg-type]

    def forward(self, samples: Tensor) -> Logits:
        return self.apply_heads(self.compute_head_inputs(samples))

    def apply_heads(self, inputs: HeadInputs) -> Logits:
        """Return the outputs of the heads."""
        notes = self.heads(inputs.pitches).permute(0, 2, 3, 1)[:, : inputs.frames].float()
        families = self.families(inputs.places).permute(0, 2, 3, 1)[:, : inputs.frames].float()
        drums = self.drum_heads(inputs.noises, inputs.unpitched)[:, : inputs.frames].float()
        onset, offset, frame, velocity, bend = notes.unbind(-1)
        drum_onset, drum_velocity = drums.chunk(2, -1)
        return Logits(onset, offset, frame, velocity, bend, families, drum_onset, drum_velocity)

    def compute_head_inputs(self, samples: Tensor) -> HeadInputs:
        """Return the inputs of the heads for samples ``(B, N)``."""
        with torch.no_grad():
            magnitudes = self.compression(self.spectrogram(samples))
        frames = magnitudes.shape[-1]
        padding = -frames % _PATCH[0]
        semitones = self.front_end(
            F.pad(self.scale(magnitudes), (0, padding))
            .transpose(1, 2)
            .unsqueeze(1)
            .contiguous(memory_format=torch.channels_last)
        )
        pitches = self.before(self.harmonics(semitones))
        noises = self.unpitched(semitones)
        patches = self.patches(pitches).permute(0, 2, 3, 1)
        beats = self.unpitched.to_patches(noises).transpose(1, 2).unsqueeze(2)
        tokens = self.transformer(torch.cat([patches, beats], 2))
        pitched, unpitched = tokens[:, :, :-1], tokens[:, :, -1]
        before = pitches + self.spread(pitched.permute(0, 3, 1, 2))
        after = self.after(before)
        return HeadInputs(after, torch.cat([after, before], 1), noises, unpitched, frames)


class _ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of ``(B, C, T, P)``, at each frame and pitch."""

    def forward(self, x: Tensor) -> Tensor:
        normal: Tensor = super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return normal


class _HarmonicMixing(nn.Module):
    """Mix the semitones of each pitch's harmonics: ``(B, C, T, 103)`` to ``(B, C, T, 88)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.ModuleList(nn.Conv2d(channels, channels, 1, bias=False) for _ in HARMONICS)
        self.norm = _ChannelNorm(channels)

    def forward(self, semitones: Tensor) -> Tensor:
        above = PITCHES - SEMITONES
        mixed = torch.zeros((), device=semitones.device)
        for mix, harmonic in zip(self.mix, HARMONICS, strict=True):
            mixed = mixed + F.pad(mix(semitones), (-harmonic, harmonic + above))
        return F.relu(self.norm(mixed))


class _Residual(nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.norm = _ChannelNorm(channels)
        self.first = nn.Conv2d(channels, channels, 3, 1, (dilation, 1), (dilation, 1))
        self.second = nn.Conv2d(channels, channels, (3, 1), 1, (1, 0))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.second(F.relu(self.first(self.norm(x))))
        return x


class _Unpitched(nn.Module):
    """Summarise the whole spectrum of each frame: ``(B, C, T, 103)`` to ``(B, W, T)``."""

    def __init__(self, channels: int, width: int, bands: int = 12) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels, 24, 1)
        self.bands = bands
        self.mix = nn.Conv1d(24 * bands, width, 3, padding=1)
        self.to_patches = nn.Conv1d(width, width, _PATCH[0], _PATCH[0])

    def forward(self, semitones: Tensor) -> Tensor:
        size = SEMITONES // self.bands
        whole = self.narrow(semitones)[..., : size * self.bands]
        bands = F.avg_pool2d(whole, (1, size))
        return F.relu(self.mix(bands.transpose(2, 3).flatten(1, 2)))


class _Transformer(nn.Module):
    """Axial layers over patches ``(B, T, P, W)``."""

    def __init__(self, config: NoteNetConfig) -> None:
        super().__init__()
        tokens = PITCHES // _PATCH[1] + 1
        self.place = nn.Parameter(torch.randn(tokens, config.width) * 0.02)
        self.layers = nn.ModuleList(_AxialLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.place
        for layer in self.layers:
            tokens = layer(tokens)
        normal: Tensor = self.norm(tokens)
        return normal


class _AxialLayer(nn.Module):
    """Attention over time, attention over the tokens of a frame, and a feed-forward layer."""

    def __init__(self, config: NoteNetConfig) -> None:
        super().__init__()
        self.over_time = _Attention(config, config.reach)
        self.over_pitch = _Attention(config)
        self.alone = nn.Sequential(
            nn.LayerNorm(config.width),
            nn.Linear(config.width, 3 * config.width),
            nn.GELU(),
            nn.Linear(3 * config.width, config.width),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.over_time(tokens.transpose(1, 2)).transpose(1, 2)
        tokens = tokens + self.over_pitch(tokens)
        tokens = tokens + self.alone(tokens)
        return tokens


class _Attention(nn.Module):
    """Self-attention along the axis ``L`` of ``(B, X, L, W)``.

    With a reach, this axis is time: positions are rotary, and tokens further away are masked.
    """

    def __init__(self, config: NoteNetConfig, reach: int | None = None) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm = nn.LayerNorm(config.width)
        self.project = nn.Linear(config.width, 3 * config.width, bias=False)
        self.leave = nn.Linear(config.width, config.width)
        self.reach = reach

    def forward(self, tokens: Tensor) -> Tensor:
        batch, rows, length, width = tokens.shape
        projected = self.project(self.norm(tokens)).reshape(
            batch * rows, length, 3, self.heads, width // self.heads
        )
        query, key, value = projected.permute(2, 0, 3, 1, 4)
        if self.reach is None:
            mixed = _attend(query, key, value)
        else:
            mixed = _attend_near(_rotate(query), _rotate(key), value, self.reach)
        left: Tensor = self.leave(mixed.transpose(1, 2).reshape(batch, rows, length, width))
        return left


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention.

    torch's own takes three times as long for short sequences on CPUs, and in training.
    """
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
    if mask is not None:
        scores = scores.masked_fill(mask, float("-inf"))
    with torch.autocast(scores.device.type, enabled=False):
        mixed: Tensor = scores.softmax(-1) @ value
        return mixed


def _attend_near(query: Tensor, key: Tensor, value: Tensor, reach: int) -> Tensor:
    """Local attention on ``(..., L, W)``, linear in ``L`` in time and memory.

    Blocks as long as the reach attend to themselves and to the blocks on either side.
    """
    length = query.shape[-2]
    blocks = -(-length // reach)
    missing = blocks * reach - length
    queries = F.pad(query, (0, 0, 0, missing)).unfold(-2, reach, reach).transpose(-2, -1)
    keys, values = (
        F.pad(x, (0, 0, reach, reach + missing)).unfold(-2, 3 * reach, reach).transpose(-2, -1)
        for x in (key, value)
    )
    query_index = torch.arange(reach, device=query.device)[:, None]
    key_index = torch.arange(3 * reach, device=query.device) - reach
    place = torch.arange(blocks, device=query.device)[:, None, None] * reach + key_index
    mask = ((query_index - key_index).abs() > reach) | (place < 0) | (place >= length)
    return _attend(queries, keys, values, mask).flatten(-3, -2)[..., :length, :]


def _rotate(vectors: Tensor) -> Tensor:
    """Apply rotary positions: rotate each pair of values by the position times the pair's rate."""
    length, size = vectors.shape[-2:]
    position = torch.arange(length, device=vectors.device, dtype=torch.float32)
    rate = 100.0 ** (-torch.arange(0, size, 2, device=vectors.device) / size)
    angle = position[:, None] * rate
    cosine, sine = angle.cos().to(vectors.dtype), angle.sin().to(vectors.dtype)
    first, second = vectors.chunk(2, -1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)


class _DrumHeads(nn.Module):
    """The percussion heads, from features of each frame and the token of its patch."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spread = nn.ConvTranspose1d(width, width, _PATCH[0], _PATCH[0])
        self.mix = nn.Conv1d(width, width, 3, padding=1)
        self.heads = nn.Conv1d(width, 2 * len(DRUMS), 1)

    def forward(self, noises: Tensor, tokens: Tensor) -> Tensor:
        both = F.relu(noises + self.spread(tokens.transpose(1, 2)))
        logits: Tensor = self.heads(F.relu(both + self.mix(both))).transpose(1, 2)
        return logits
