"""What a GPU gains from batches, half precision and compilation.

Songs of three minutes are transcribed and written with the models of the profile ``gpu``, alone and
four at once, as ``NOTABOT_ENGINE_WIDTH`` and ``NOTABOT_MODELS_BATCH`` would have it. Then each of
our networks that run in batches is timed on one of its windows. Without a CUDA device the section
is skipped; a smoke run takes the tests' small stages, and small windows, on the CPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deploy.planning.measure import cut
from inference_service.assembly import build_limits, build_stages
from inference_service.audio.decode import decode
from inference_service.batching import Batches
from inference_service.checkpoint import load_network
from inference_service.pipeline.options import Preset, RenderOptions
from inference_service.pipeline.render import render
from inference_service.pipeline.stages import StageSet
from inference_service.pipeline.transcribe import transcribe
from inference_service.progress import Stage, ignore
from inference_service.rhythm.from_sound.network import BeatNet
from inference_service.rhythm.from_sound.neural_beats import WINDOW_FRAMES
from inference_service.separation import masking
from inference_service.separation.mask_network import MaskNet
from inference_service.settings import AudioSettings, ModelSettings
from inference_service.tagger.notes import tagger
from inference_service.tagger.notes.network import NoteNet
from inference_service.tagger.notes.tagger import to_probabilities
from tests.bench.table import Row
from tests.conftest import ROOT

TITLE = "A GPU: batches, half precision, compilation"
SONG_S: Final = 180.0
SHORT_S: Final = 2.0
TOGETHER: Final = 4
"""Songs at once, and windows in a batch."""

OVERHEAD_TARGET: Final = 1.02
"""A lone caller's time with batches over that without."""

WEIGHTS = ROOT / "model_zoo" / "weights"
_WARM_UP_RUNS: Final = 3
_RUNS: Final = 10

Profile = Literal["tiny", "cpu", "gpu"]


def run(data: Path, cache: Path) -> Iterator[Row]:
    """Measure on a CUDA device."""
    if not torch.cuda.is_available():
        raise FileNotFoundError("there is no CUDA device")
    for batch in (1, TOGETHER):
        yield from measure_songs("gpu", "cuda", SONG_S, batch, TOGETHER)
    for network in list_networks("cuda", shortened=1):
        yield from measure_network(network, "cuda", _RUNS)
        yield from measure_compiled(network, "cuda")
    yield measure_overhead("cuda", _RUNS, OVERHEAD_TARGET)


def smoke() -> Iterator[Row]:
    """Run the same on the CPU, where the figures mean nothing."""
    yield from measure_songs("tiny", "cpu", SHORT_S, TOGETHER, 2)
    yield from measure_network(next(list_networks("cpu", shortened=20)), "cpu", 1)
    yield measure_overhead("cpu", 1, None)


def measure_songs(
    profile: Profile, device: str, length_s: float, batch: int, count: int
) -> Iterator[Row]:
    """Transcribe and write a song alone, then several, one by one and at once."""
    song = cut("song", length_s)
    stages = build_stages(ModelSettings(profile=profile, device=device, batch=batch))
    transcribe_all(stages, [cut("song", SHORT_S)], 1)  # loads the models
    for songs, width in ((1, 1), (count, 1), (count, count)):
        _forget_peak(device)
        taken_s = transcribe_all(stages, [song] * songs, width)
        name = f"batches of {batch}, {songs} songs of {length_s:g} s, {width} at once"
        yield Row(f"{name}: seconds", taken_s)
        yield Row("  songs a minute", 60.0 * songs / taken_s)
        yield Row("  peak of the device's memory, GB", _peak_gb(device))


def transcribe_all(stages: StageSet, songs: Sequence[bytes], width: int) -> float:
    """Return the seconds from files to pages of all songs, ``width`` of them at once."""
    start_s = time.perf_counter()
    with ThreadPoolExecutor(width) as threads:
        for _ in threads.map(lambda data: _transcribe(stages, data), songs):
            pass
    return time.perf_counter() - start_s


def _transcribe(stages: StageSet, data: bytes) -> None:
    waveform = decode(data, build_limits(AudioSettings()), ignore)
    heard = transcribe(waveform, Preset.SONG, stages, _ignore)
    render(heard, RenderOptions(), _ignore)


@dataclass(frozen=True, slots=True)
class Measured:
    """A network to be measured.

    Attributes
    ----------
    name : str
    network : torch.nn.Module
        On the device.
    use : callable
        Computes what a stage reads, from a network, or one that stands in for it, and windows.
    window : np.ndarray
        A window's input.
    """

    name: str
    network: nn.Module
    use: Callable[[Callable[[Tensor], object], Tensor], list[Tensor]]
    window: NDArray[np.float32]


def list_networks(device: str, shortened: int) -> Iterator[Measured]:
    """Yield our networks, with windows of noise that are shorter than usual by a factor."""
    random = np.random.default_rng(0)

    def draw(*shape: int) -> NDArray[np.float32]:
        return (0.1 * random.standard_normal(shape)).astype(np.float32)

    beats = load_network(WEIGHTS / "beats.safetensors", BeatNet, device)
    frames = WINDOW_FRAMES // shortened
    yield Measured(
        "beats",
        beats,
        lambda net, x: [torch.stack(net(x), 1).sigmoid()],  # type: ignore[arg-type]
        draw(beats.config.bins, frames),
    )

    notes = load_network(WEIGHTS / "tagger.safetensors", NoteNet, device)
    samples = round(tagger.WINDOW_S * notes.config.sample_rate_hz) // shortened
    yield Measured("notes", notes, lambda net, x: to_probabilities(net(x)), draw(samples))  # type: ignore[arg-type]

    masks = load_network(WEIGHTS / "vocals.safetensors", MaskNet, device)
    samples = round(masking.WINDOW_S * masks.config.sample_rate_hz) // shortened
    yield Measured(
        "vocals",
        masks,
        lambda net, x: [net(masks.transform(x))],  # type: ignore[list-item]
        draw(2, samples),
    )


def measure_network(measured: Measured, device: str, runs: int) -> Iterator[Row]:
    """Time a network on windows, one by one and in batches, in single and half precision."""
    single = _compute(measured, measured.network, device, nullcontext(), 1)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        cast = _autocast(device, dtype)
        for size in (1, TOGETHER):
            compute = partial(_compute, measured, measured.network, device, cast, size)
            name = f"{measured.name}, {_name(dtype)}, batches of {size}: ms a window"
            yield Row(name, 1e3 * _time(compute, runs) / size)
        if dtype is not torch.float32:
            half = _compute(measured, measured.network, device, cast, 1)
            yield Row("  largest difference from float32", _differ(single, half))


def measure_compiled(measured: Measured, device: str) -> Iterator[Row]:
    """Time a network compiled by torch."""
    compiled = torch.compile(measured.network)
    start_s = time.perf_counter()
    found = _compute(measured, compiled, device, nullcontext(), 1)
    yield Row(
        f"{measured.name}, compiled: seconds of the first window", time.perf_counter() - start_s
    )
    seconds = _time(lambda: _compute(measured, compiled, device, nullcontext(), 1), _RUNS)
    yield Row(f"{measured.name}, compiled: ms a window", 1e3 * seconds)
    single = _compute(measured, measured.network, device, nullcontext(), 1)
    yield Row("  largest difference from float32", _differ(single, found))


def measure_overhead(device: str, runs: int, target: float | None) -> Row:
    """Compare a lone caller's single windows with and without the possibility of batches."""
    measured = next(list_networks(device, shortened=20))
    pieces = [(0, [measured.window])]

    def hear(batches: Batches) -> Callable[[], object]:
        return lambda: list(batches.run(pieces, 1))

    def apply(windows: Tensor) -> list[Tensor]:
        return measured.use(measured.network, windows)

    ways = [hear(Batches(apply, device, size)) for size in (1, TOGETHER)]
    seconds = [min(_time(way, runs) for _ in range(5)) for way in ways]
    name = "a lone caller of short windows: time with batches over without"
    return Row(name, seconds[1] / seconds[0], target, at_most=True)


def _compute(
    measured: Measured,
    network: Callable[[Tensor], object],
    device: str,
    cast: AbstractContextManager[object],
    size: int,
) -> list[Tensor]:
    windows = torch.from_numpy(np.stack([measured.window] * size)).to(device)
    with torch.inference_mode(), cast:
        return [output.float().cpu() for output in measured.use(network, windows)]


def _autocast(device: str, dtype: torch.dtype) -> AbstractContextManager[object]:
    return nullcontext() if dtype is torch.float32 else torch.autocast(device, dtype)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _differ(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True))


def _time(work: Callable[[], object], runs: int) -> float:
    """Return the mean seconds of a call, whose results are in main memory when it ends."""
    for _ in range(min(runs, _WARM_UP_RUNS)):
        work()
    start_s = time.perf_counter()
    for _ in range(runs):
        work()
    return (time.perf_counter() - start_s) / runs


def _forget_peak(device: str) -> None:
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()


def _peak_gb(device: str) -> float:
    return torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else float("nan")


def _ignore(stage: Stage, fraction: float) -> None:
    """Take progress and do nothing."""
