"""Separation by any Demucs network: v2 to v4 (HTDemucs), single or in a bag.

The ``demucs`` package provides the networks and pads a segment for them
(:mod:`inference_service.separation.checkpoints` loads them). This module adds what the service
needs: any sample rate and channel count, progress, cancellation, and memory that grows with the
recording only by the stems.

The recording is processed as a stream of blocks: converted to the network's sample rate, cut into
segments, separated, cross-faded, converted back and written to the stems. Segments and weights are
those of ``demucs.apply.apply_model`` on the whole recording. The result is therefore the same
within ``TOLERANCE`` of the recording's peak, and at other sample rates also within the accuracy of
the rate conversion.

Source: Rouard, Massa, Défossez, "Hybrid Transformers for Music Source Separation" (ICASSP 2023).

Deviations from ``demucs.api``
------------------------------
Random shifts are drawn with a fixed seed, the same for every network of a bag, so that equal input
gives equal stems. All networks of a bag use the shortest of their segment lengths. The mean and
standard deviation for normalisation are measured before the sample rate is converted.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from itertools import chain
from typing import Any, Final, Literal, cast

import numpy as np
import torch
from demucs.apply import BagOfModels, TensorChunk, apply_model
from demucs.htdemucs import HTDemucs
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from inference_service.audio.chunking import Window, crossfade_stretches
from inference_service.audio.resample import resample_stream
from inference_service.audio.waveform import Samples, Waveform
from inference_service.batching import Batches
from inference_service.model_files import ModelFiles
from inference_service.progress import Report
from inference_service.separation.checkpoints import load_published
from inference_service.settings import ModelSettings

Precision = Literal["float32", "float16", "bfloat16"]
Stems = Literal["all", "two"]

TOLERANCE: Final = 1e-5
REPORT_INTERVAL_S: Final = 0.25
BLOCK_S: Final = 10.0
MAX_SHIFT_S: Final = 0.5
SEED: Final = 0

VOCALS: Final = "vocals"
ACCOMPANIMENT: Final = "accompaniment"


class DemucsSeparator:
    """A ``pipeline.stages.Separator`` with a Demucs network.

    Parameters
    ----------
    model : demucs.demucs.Demucs, HDemucs, HTDemucs or demucs.apply.BagOfModels
        Its ``sources`` are the names of the stems, with "vocals" among them.
    device : torch.device or str
        Device of the network; the recording and its stems stay in main memory.
    shifts : int
        Number of time shifts to average over: slower by this factor, and slightly better.
    overlap : float
        Overlap of neighbouring segments as a fraction of their length, in [0, 1).
    segment_s : float or None
        Length of a segment; the network's own if None, or if the network, as transformers do,
        does not support longer ones.
    precision : str
        Precision of autocast on an accelerator; a CPU always uses float32.
    stems : str
        "two" sums all stems but the vocals into "accompaniment", which needs less memory.
    batch : int
        Largest number of segments that the network processes at once.
    """

    def __init__(
        self,
        model: nn.Module,
        device: torch.device | str = "cpu",
        *,
        shifts: int = 0,
        overlap: float = 0.25,
        segment_s: float | None = None,
        precision: Precision = "float32",
        stems: Stems = "all",
        batch: int = 1,
    ) -> None:
        self._model = cast(Any, model)  # demucs has no types
        self._device = torch.device(device)
        self._precision = precision
        self._two = stems == "two"
        rate_hz: int = self._model.samplerate
        networks = self._model.models if isinstance(model, BagOfModels) else [self._model]
        own_s = min(network.segment for network in networks)
        takes_longer = not any(isinstance(network, HTDemucs) for network in networks)
        self._segment_s = segment_s
        if segment_s is not None and segment_s >= own_s and not takes_longer:
            self._segment_s = None
        self._size = int(rate_hz * (self._segment_s or own_s))
        self._stride = int((1 - overlap) * self._size)
        self._leads = _draw_leads(shifts, rate_hz)
        self._batches = Batches(self._apply, self._device, batch)
        # Elsewhere operations run asynchronously, and in a batch they are not one request's.
        self._counts_operations = self._device.type == "cpu" and batch == 1

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems."""
        return (VOCALS, ACCOMPANIMENT) if self._two else tuple(self._model.sources)

    def separate(self, mixture: Waveform, report: Report) -> dict[str, Waveform]:
        """Return the stems by name, each with the mixture's length, rate and channel count.

        Raises
        ------
        Cancelled
            From ``report``, which is called for every segment, and on a CPU without batches also
            between operations of the network, at most four times a second.
        """
        rate_hz, length = mixture.sample_rate_hz, mixture.samples.shape[-1]
        own_hz = self._model.samplerate
        own_length = -(-length * own_hz // rate_hz)
        mean, deviation = _measure(mixture, report)
        stems = {name: np.zeros_like(mixture.samples) for name in self.stems}
        progress = _Progress(
            report, sum(-(-(own_length + lead) // self._stride) for lead in self._leads)
        )
        for lead in self._leads:
            reader = _Reader(self._normalise(mixture, lead, mean, deviation))
            pieces = self._hear(reader, own_length + lead, progress)
            stretches = _cut(crossfade_stretches(pieces, own_length + lead), lead, own_length)
            heard = (
                self._arrange(stretch * deviation + mean, len(mixture.samples))
                for stretch in stretches
            )
            channels = len(stems) * len(mixture.samples)
            _add(stems, resample_stream(heard, channels, own_hz, rate_hz), len(self._leads))
        report(1.0)
        return {name: Waveform(samples, rate_hz) for name, samples in stems.items()}

    def _normalise(
        self, mixture: Waveform, lead: int, mean: np.float32, deviation: np.float32
    ) -> Iterator[Samples]:
        """Yield ``lead`` samples of silence, then the mixture at the network's rate."""
        channels, own_hz = self._model.audio_channels, self._model.samplerate
        blocks = (_match_channels(block, channels) for block in _blocks(mixture))
        converted = resample_stream(blocks, channels, mixture.sample_rate_hz, own_hz)
        silence = np.zeros((channels, lead), dtype=np.float32)
        return chain([silence], ((block - mean) / deviation for block in converted))

    def _hear(
        self, reader: _Reader, length: int, progress: _Progress
    ) -> Iterator[tuple[Window, Samples]]:
        """Yield the stems of each segment, shape (S, C, size), padded with silence at the end."""
        size = self._size
        starts = range(0, length, self._stride)

        def cut() -> Iterator[tuple[Window, list[Samples]]]:
            for start in starts:
                progress.begin_segment()
                # A network that pads its input uses the samples around it, up to one segment away.
                stop = min(start + size, length)
                yield Window(start, start + size), [reader.read(start - size, stop + size)]

        batches = self._batches
        if self._counts_operations:
            batches = Batches(partial(self._apply, tick=progress.tick), self._device)
        for window, (heard,) in batches.run(cut(), len(starts)):
            missing = size - heard.shape[-1]
            yield window, np.pad(heard, ((0, 0), (0, 0), (0, missing)))

    def _apply(self, around: Tensor, tick: Callable[[], None] | None = None) -> list[Tensor]:
        """Return the stems (B, S, C, n) of segments, given with a whole segment on either side."""
        chunk = TensorChunk(around, self._size, around.shape[-1] - 2 * self._size)
        with ExitStack() as stack:
            stack.enter_context(_autocast(self._device, self._precision))
            if tick is not None:
                stack.enter_context(_UNFUSED_ATTENTION)
                stack.enter_context(_Operations(tick))
            stems = apply_model(
                self._model,
                chunk,
                shifts=0,
                split=False,
                segment=self._segment_s,
                device=self._device,
            )
        return [stems.float()]

    def _arrange(self, stems: Samples, channels: int) -> Samples:
        """Return the requested stems, shape (S * channels, n), from stems of shape (S, C, n)."""
        if self._two:
            vocals = self._model.sources.index(VOCALS)
            rest = np.delete(stems, vocals, axis=0).sum(axis=0)
            stems = np.stack([stems[vocals], rest])
        return np.concatenate([_match_channels(stem, channels) for stem in stems])


def build(entry: ModelFiles, settings: ModelSettings) -> DemucsSeparator:
    """Build a separator of fetched checkpoints, as the manifest declares it."""
    device = settings.device_name
    return DemucsSeparator(
        load_published(entry.name, entry.paths(settings.weights), device),
        device,
        shifts=settings.demucs_shifts,
        overlap=settings.demucs_overlap,
        segment_s=settings.demucs_segment_s or None,
        precision=settings.demucs_precision,
        stems=settings.demucs_stems,
        batch=settings.batch_size,
    )


def _draw_leads(shifts: int, rate_hz: int) -> list[int]:
    """Draw the length of the leading silence in samples for each shift, as ``apply_model`` does."""
    if not shifts:
        return [0]
    longest = int(MAX_SHIFT_S * rate_hz)
    generator = random.Random(SEED)
    return [longest - generator.randint(0, longest) for _ in range(shifts)]


def _blocks(waveform: Waveform) -> Iterator[Samples]:
    size = round(BLOCK_S * waveform.sample_rate_hz)
    for start in range(0, waveform.samples.shape[-1], size):
        yield waveform.samples[:, start : start + size]


def _measure(mixture: Waveform, report: Report) -> tuple[np.float32, np.float32]:
    """Return mean and standard deviation of the mono mixture; networks expect 0 and 1."""
    total = squares = 0.0
    report(0.0)
    for block in _blocks(mixture):
        mono = block.mean(axis=0, dtype=np.float64)
        total += float(mono.sum())
        squares += float(np.square(mono).sum())
        report(0.0)
    length = max(mixture.samples.shape[-1], 1)
    mean = total / length
    variance = max(squares / length - mean**2, 0.0)
    return np.float32(mean), np.float32(math.sqrt(variance) + 1e-8)


class _Reader:
    """Reads intervals, in order, of a stream of blocks, padded with silence at both ends.

    Samples are held from the start of the last interval on.
    """

    def __init__(self, blocks: Iterable[Samples]) -> None:
        self._blocks = iter(blocks)
        self._held = next(self._blocks)
        self._start = 0

    def read(self, start: int, stop: int) -> Samples:
        """Return the samples ``[start, stop)``, shape (C, stop - start)."""
        parts = [self._held]
        end = self._start + self._held.shape[-1]
        while end < stop and (block := next(self._blocks, None)) is not None:
            parts.append(block)
            end += block.shape[-1]
        held = np.concatenate(parts, axis=1)
        past = min(max(start - self._start, 0), held.shape[-1])
        self._held, self._start = held[:, past:], self._start + past
        there = self._held[:, : max(stop - self._start, 0)]
        before = self._start - start if self._held.shape[-1] else 0
        stretch = np.zeros((len(held), stop - start), dtype=np.float32)
        stretch[:, before : before + there.shape[-1]] = there
        return stretch


def _cut(stretches: Iterable[Samples], first: int, length: int) -> Iterator[Samples]:
    """Yield the samples from ``first`` to ``first + length`` of consecutive stretches."""
    done = -first
    for stretch in stretches:
        stop = done + stretch.shape[-1]
        yield stretch[..., max(0, -done) : stretch.shape[-1] - max(0, stop - length)]
        done = stop


def _add(stems: dict[str, Samples], stretches: Iterable[Samples], passes: int) -> None:
    """Add consecutive stretches of shape (S * C, n), divided by ``passes``, to the stems."""
    done = 0
    for stretch in stretches:
        parts = np.split(stretch, len(stems))
        for samples, part in zip(stems.values(), parts, strict=True):
            place = samples[:, done : done + part.shape[-1]]
            place += part[:, : place.shape[-1]] / np.float32(passes)
        done += stretch.shape[-1]


def _match_channels(samples: Samples, channels: int) -> Samples:
    """Return float32 of shape (channels, N): copies of the mean if the channel counts differ."""
    if len(samples) != channels:
        samples = np.repeat(samples.mean(axis=0, keepdims=True, dtype=np.float32), channels, axis=0)
    return np.ascontiguousarray(samples, dtype=np.float32)


def _autocast(device: torch.device, precision: Precision) -> AbstractContextManager[Any]:
    """Return autocast to half precision on an accelerator; it keeps spectra in single precision."""
    if device.type == "cpu" or precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, getattr(torch, precision))


class _UnfusedAttention(AbstractContextManager[None]):
    """Splits attention into several operations: fused, it takes seconds without a report.

    The setting is that of the process: it is put back when the last thread leaves.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = True

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = torch.backends.mha.get_fastpath_enabled()
                torch.backends.mha.set_fastpath_enabled(False)
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                torch.backends.mha.set_fastpath_enabled(self._before)


_UNFUSED_ATTENTION: Final = _UnfusedAttention()


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Calls a function before every tensor operation in this thread."""

    def __init__(self, begin: Callable[[], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._begin = begin

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self._begin()
        return func(*args, **(kwargs or {}))


class _Progress:
    """Progress over segments; each is expected to have as many operations as the one before."""

    def __init__(self, report: Report, segments: int) -> None:
        self._report = report
        self._segments = max(segments, 1)
        self._begun = 0
        self._operations = 0
        self._expected = 0
        self._last_s = -math.inf

    def begin_segment(self) -> None:
        """Report that a segment begins."""
        self._expected = self._operations
        self._operations = 0
        self._begun += 1
        self._tell(0.0)

    def tick(self) -> None:
        """Count an operation; report if the last report is older than ``REPORT_INTERVAL_S``."""
        self._operations += 1
        if time.monotonic() - self._last_s >= REPORT_INTERVAL_S:
            self._tell(min(self._operations / self._expected, 1.0) if self._expected else 0.0)

    def _tell(self, within: float) -> None:
        self._last_s = time.monotonic()
        self._report((self._begun - 1 + within) / self._segments)
