"""Chooses the decoder's thresholds on rendered development music.

They are chosen in turn, each given those before it: the onset threshold by the F1 of notes; frame,
offset and gap thresholds by the F1 of notes with offsets; each percussion sound's by its own F1.
Counts are pooled over examples that neither training nor its evaluation used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import mir_eval
import numpy as np
import torch
from numpy.typing import NDArray

from inference_service.tagger.notes.decoding import (
    DecodingOptions,
    Outputs,
    decode_notes,
    peaks,
)
from inference_service.tagger.notes.decoding import apex as find_apex
from inference_service.tagger.notes.network import DRUMS, NoteNet
from model_zoo.training.beats.prepare import load_corpora
from model_zoo.training.tagger.dataset import ExampleOptions, make_example, render_take
from model_zoo.training.tagger.dev import (
    begin_within,
    in_bfloat16,
    match_notes,
    to_outputs,
    to_rows,
)
from model_zoo.training.tagger.take import KEY, ONSET, Take
from model_zoo.training.tagger.targets import within_range

SEED: Final = 20_000_000
ONSETS: Final = tuple(np.arange(0.15, 0.66, 0.05).round(2).tolist())
FRAMES: Final = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
OFFSETS: Final = (0.15, 0.25, 0.35, 0.5, 1.1)
GAPS: Final = (1, 2, 3, 5)
WINDOW_S: Final = 0.05

Heard = tuple[Take, Outputs]


def draw_examples(symbolic: Path, count: int) -> Iterable[Take]:
    """Yield examples of development music, none of which training evaluates on."""
    random = np.random.default_rng(SEED)
    corpora = load_corpora(symbolic, dev=True)
    for _ in range(count):
        yield make_example(render_take(corpora, random), random, ExampleOptions())


def hear(network: NoteNet, takes: Iterable[Take]) -> Iterable[Heard]:
    """Yield takes, without the notes that begin outside, with the network's outputs."""
    for take in takes:
        with torch.inference_mode(), in_bfloat16(torch.device("cpu")):
            outputs = to_outputs(network(torch.from_numpy(take.samples)[None]))
        length_s = len(take.samples) / network.config.sample_rate_hz
        notes = begin_within(within_range(take.notes), length_s)
        yield replace(take, notes=notes, drums=begin_within(take.drums, length_s)), outputs


def choose(heard: Sequence[Heard], rate_hz: float, say: Callable[[str], None]) -> DecodingOptions:
    """Return the best thresholds."""
    options = DecodingOptions()

    def best(name: str, values: Sequence[float], offset_ratio: float | None) -> DecodingOptions:
        found = {}
        for value in values:
            candidate = replace(options, **{name: value})  # type: ignore[arg-type]
            found[value] = _note_f1(heard, rate_hz, candidate, offset_ratio)
            say(f"{name} {value}: F1 {found[value]:.4f}")
        return replace(options, **{name: max(found, key=found.__getitem__)})  # type: ignore[arg-type]

    options = best("onset", ONSETS, None)
    options = best("gap_frames", GAPS, 0.2)
    options = best("frame", FRAMES, 0.2)
    options = best("offset", OFFSETS, 0.2)
    drums = []
    for kind, name in enumerate(DRUMS):
        found = {value: _drum_f1(heard, rate_hz, kind, value) for value in ONSETS}
        drums.append(max(found, key=found.__getitem__))
        say(f"{name} {drums[-1]}: F1 {found[drums[-1]]:.4f}")
    return replace(options, drum_onset=tuple(drums))


def _note_f1(
    heard: Sequence[Heard], rate_hz: float, options: DecodingOptions, offset_ratio: float | None
) -> float:
    counts = np.zeros(3)
    for take, outputs in heard:
        by_family = decode_notes(outputs, rate_hz, options)
        estimated = to_rows([note for notes in by_family.values() for note in notes])
        matched = len(match_notes(take.notes[:, :3], estimated, offset_ratio))
        counts += (matched, len(estimated), len(take.notes))
    return _f1(counts)


def _drum_f1(heard: Sequence[Heard], rate_hz: float, kind: int, threshold: float) -> float:
    counts = np.zeros(3)
    for take, outputs in heard:
        course = outputs.drum_onset[:, kind]
        frames = np.flatnonzero(peaks(course, threshold))
        estimated = (
            np.array([frame + find_apex(course, frame) for frame in frames.tolist()]) / rate_hz
        )
        true = take.drums[take.drums[:, KEY] == kind, ONSET]
        matched = (
            mir_eval.util.match_events(true, estimated, WINDOW_S)
            if len(true) * len(estimated)
            else []
        )
        counts += (len(matched), len(estimated), len(true))
    return _f1(counts)


def _f1(counts: NDArray[np.float64]) -> float:
    matched, estimated, true = counts.tolist()
    return float(2 * matched / max(estimated + true, 1.0))
