"""Takes without end, rendered by processes of their own: the same for the same seed.

A worker keeps a shelf of dry takes, part of it filled before the first example. For each example it
cuts one of them at random, detunes and damages it; as it goes on it renders new takes, and each
replaces the oldest. Synthesis is cheap beside learning: most of each take is never heard, so that
examples differ in their music and instruments. Examples are taken from the workers in turn, so that
their order does not hang on who was faster.
"""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Final

import numpy as np
from numpy.random import Generator

from model_zoo.training.beats.prepare import Corpora, load_corpora
from model_zoo.training.sound.damage import degrade, detune
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.tagger.render import render
from model_zoo.training.tagger.scene import SHARES, Kind, draw_scene
from model_zoo.training.tagger.take import OFFSET, PITCH, Take, cut

SHELF: Final = 64
BEGINNING: Final = 32
"""Takes on the shelf before the first example: from fewer, batches would be all alike."""

USES: Final = 0.35
"""How much of a take is heard, about: with more of each, training fits the takes on the shelf."""

QUEUE: Final = 48
CLEAN_SHARE: Final = 0.25
DETUNED_SHARE: Final = 0.5
LEVEL_DB: Final = (-30.0, -12.0)


@dataclass(frozen=True, slots=True)
class ExampleOptions:
    """What examples are like, and what they are drawn from.

    Attributes
    ----------
    length_s : float
    damage : bool
    folders : tuple of Path
        Of music, beside the archives.
    shares : mapping of str to float
        How often each kind of scene is drawn.
    """

    length_s: float = 4.8
    damage: bool = True
    folders: tuple[Path, ...] = ()
    shares: Mapping[Kind, float] = field(default_factory=lambda: SHARES)


def iterate_examples(
    symbolic: Path, seed: int, workers: int, options: ExampleOptions
) -> Iterator[Take]:
    """Yield examples without end, rendered by so many processes.

    Raises
    ------
    RuntimeError
        If a worker fails; with its traceback.
    """
    context = multiprocessing.get_context("fork")
    queues: list[Queue[Take | str]] = [context.Queue(QUEUE) for _ in range(workers)]
    processes = [
        context.Process(target=_work, args=(symbolic, (seed, n), options, queue), daemon=True)
        for n, queue in enumerate(queues)
    ]
    for process in processes:
        process.start()
    try:
        while True:
            for queue in queues:
                example = queue.get()
                if isinstance(example, str):
                    raise RuntimeError(example)
                yield example
    finally:
        for process in processes:
            process.kill()


def _work(
    symbolic: Path, seed: tuple[int, int], options: ExampleOptions, queue: Queue[Take | str]
) -> None:
    try:
        random = np.random.default_rng(seed)
        corpora = load_corpora(symbolic, dev=False, folders=options.folders)
        for example in make_examples(corpora, random, options):
            queue.put(example)
    except Exception:  # whatever it was, the trainer shall know
        queue.put(traceback.format_exc())


def make_examples(
    corpora: Corpora, random: Generator, options: ExampleOptions, beginning: int = BEGINNING
) -> Iterator[Take]:
    """Yield examples without end."""
    shelf: list[Take] = []
    heard_s, rendered_s = 0.0, 0.0
    while True:
        full = len(shelf) >= SHELF
        if len(shelf) < beginning or heard_s > rendered_s * (USES if full else 1.0):
            take = render_take(corpora, random, options.shares)
            rendered_s += take.duration_s
            shelf = [*shelf[full:], take]
            if len(shelf) < beginning:
                continue
        take = shelf[int(random.integers(len(shelf)))]
        heard_s += options.length_s
        yield make_example(take, random, options)


def render_take(corpora: Corpora, random: Generator, shares: Mapping[Kind, float] = SHARES) -> Take:
    """Render a scene; another one where that which was drawn is of no use."""
    while True:
        try:
            return render(draw_scene(corpora, random, shares=shares), random)
        except ValueError:
            continue


def make_example(take: Take, random: Generator, options: ExampleOptions) -> Take:
    """Cut, detune and damage a take."""
    start_s = float(random.uniform(-0.3, max(take.duration_s - options.length_s, 0.0)))
    example = cut(take, max(start_s, 0.0), options.length_s * 1.06)
    if random.random() < DETUNED_SHARE:
        example = _detune(example, float(np.clip(random.normal(0, 18), -42, 42)))
    size = round(options.length_s * RATE_HZ)
    samples = np.pad(example.samples, (0, max(size - len(example.samples), 0)))[:size]
    if options.damage and random.random() > CLEAN_SHARE:
        samples = degrade(samples, random)
    level = float(np.sqrt(np.mean(np.square(samples)))) + 1e-5
    gain = 10 ** (random.uniform(*LEVEL_DB) / 20) / level
    gain = min(gain, 10.0 / (float(np.abs(samples).max()) + 1e-5))
    return replace(example, samples=np.asarray(samples * gain, np.float32))


def _detune(take: Take, cents: float) -> Take:
    """Play the tape faster, or slower."""
    samples, factor = detune(take.samples, cents)
    notes, drums, beats = take.notes.copy(), take.drums.copy(), take.beats * [factor, 1.0]
    notes[:, : OFFSET + 1] *= factor
    drums[:, 0] *= factor
    notes[:, PITCH] += cents / 100
    chords = tuple(
        replace(chord, start_s=chord.start_s * factor, end_s=chord.end_s * factor)
        for chord in take.chords
    )
    return replace(take, samples=samples, notes=notes, drums=drums, beats=beats, chords=chords)
