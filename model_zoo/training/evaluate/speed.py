"""Measures real-time factor, peak memory, and agreement of windowed with whole-file processing.

Each system processes one minute and ten minutes of a repeated clip, as stereo at the service's
rate, in its own process and after a warm-up. The peak is that of the whole process, including
libraries and the sound. Torch and ONNX Runtime use torch's default number of threads: one for each
core, or OMP_NUM_THREADS.

Here, as on a CPU by default, the tagger's network processes recordings window by window and not in
batches, so that a result does not depend on other recordings. :func:`check_agreement` verifies both
properties.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch

from inference_service.audio.decode import SAMPLE_RATE_HZ
from inference_service.audio.resample import resample
from inference_service.audio.waveform import Waveform
from inference_service.checkpoint import load_network
from inference_service.progress import ignore
from inference_service.tagger.notes.network import NoteNet
from inference_service.tagger.notes.tagger import TransformerTagger, load_tagger
from inference_service.tagger.notes.timbre import TimbreNet
from model_zoo.training.evaluate.convert import from_parts
from model_zoo.training.evaluate.metrics import NoteArray
from model_zoo.training.evaluate.sets import read_sound
from model_zoo.training.evaluate.systems import OURS, PEERS, TIMBRE, load_ours
from model_zoo.training.tagger.take import FAMILY, ONSET, PITCH

SECTION: Final = "speed"
SHORT_S: Final = 60.0
LONG_S: Final = 600.0
SLOW: Final = ("transkun",)
"""Systems that are measured on one minute only."""

_WARM_UP_S: Final = 3.0
_NEAR_S: Final = 1e-3
_STATUS: Final = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Speed:
    """Real-time factor and peak memory of a system."""

    system: str
    length_s: float
    real_time_factor: float
    peak_gb: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Reproducibility of the tagger's output.

    Attributes
    ----------
    notes : int
        Number of notes and strokes found with windows.
    repeatable : bool
        Whether a second run, after another recording, is identical to the last bit.
    different : int
        Number of notes and strokes found only with windows, or only when the whole recording is
        processed at once. Sums of different lengths round differently.
    """

    notes: int
    repeatable: bool
    different: int


def measure_speed(
    systems: Sequence[str], weights: Path, device: str, clip: Path
) -> Iterator[Speed]:
    """Measure the speed of systems, given by name."""
    context = multiprocessing.get_context("spawn")
    for system in systems:
        for length_s in (SHORT_S,) if system in SLOW else (SHORT_S, LONG_S):
            with ProcessPoolExecutor(1, context) as alone:
                yield alone.submit(time_system, system, weights, device, clip, length_s).result()


def time_system(system: str, weights: Path, device: str, clip: Path, length_s: float) -> Speed:
    """Run a system on a repeated clip; the peak memory is that of this process."""
    if system == OURS:
        hear = load_ours(weights, device)
    else:
        hear = PEERS[system].load(device, torch.get_num_threads())
    sound = repeat(read_sound(clip), length_s)
    hear(_start_of(sound, _WARM_UP_S))
    start_s = time.perf_counter()
    hear(sound)
    return Speed(system, length_s, (time.perf_counter() - start_s) / length_s, _peak_bytes() / 1e9)


def repeat(clip: Waveform, length_s: float) -> Waveform:
    """Repeat a clip up to a duration, as stereo at the service's rate."""
    mono = resample(clip.mono()[None], clip.sample_rate_hz, SAMPLE_RATE_HZ)
    times = -(-round(length_s * SAMPLE_RATE_HZ) // mono.shape[1])
    samples = np.tile(mono, (2, times))[:, : round(length_s * SAMPLE_RATE_HZ)]
    return Waveform(np.ascontiguousarray(samples), SAMPLE_RATE_HZ)


def check_agreement(weights: Path, device: str, clip: Path, length_s: float = SHORT_S) -> Agreement:
    """Compare windowed processing with a second run, and with processing the whole at once."""
    sound = repeat(read_sound(clip), length_s)
    tagger = load_tagger(weights, TIMBRE, device)
    whole = TransformerTagger(
        load_network(weights, NoteNet, device),
        load_network(TIMBRE, TimbreNet, device),
        device,
        tagger.options,
        window_s=length_s,
    )
    first, at_once = _tell(tagger, sound), _tell(whole, sound)
    _tell(tagger, _start_of(sound, _WARM_UP_S))
    again = _tell(tagger, sound)
    return Agreement(
        notes=sum(len(rows) for rows in first),
        repeatable=all(np.array_equal(a, b) for a, b in zip(first, again, strict=True)),
        different=sum(count_different(a, b) for a, b in zip(first, at_once, strict=True)),
    )


def count_different(rows: NoteArray, others: NoteArray) -> int:
    """Count the rows that are in one array only.

    Notes are equal if onsets agree within a millisecond, pitches to the semitone, and families;
    strokes if onsets and classes agree.
    """
    if rows.shape[1] > PITCH:
        rows, others = (
            np.column_stack([own[:, ONSET], np.rint(own[:, PITCH]), own[:, FAMILY]])
            for own in (rows, others)
        )
    alike = (rows[:, None, 1:] == others[None, :, 1:]).all(axis=-1)
    alike &= np.abs(rows[:, None, ONSET] - others[None, :, ONSET]) < _NEAR_S
    return int((~alike.any(axis=1)).sum() + (~alike.any(axis=0)).sum())


def _tell(tagger: TransformerTagger, sound: Waveform) -> tuple[NoteArray, NoteArray]:
    """Return the notes and strokes that the tagger finds."""
    tags = from_parts(tagger.tag_parts({"mixture": sound}, 0.0, ignore))
    assert tags.notes is not None
    assert tags.strokes is not None
    return tags.notes, tags.strokes


def _start_of(sound: Waveform, length_s: float) -> Waveform:
    return Waveform(
        sound.samples[:, : round(length_s * sound.sample_rate_hz)], sound.sample_rate_hz
    )


def _peak_bytes() -> int:
    """Return the peak memory of this process.

    Reads Linux's ``VmHWM`` if available, because getrusage includes the memory of the parent
    process.
    """
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
