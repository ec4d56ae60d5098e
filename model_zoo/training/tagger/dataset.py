"""An endless stream of examples, rendered by worker processes; a seed determines it.

A worker keeps a shelf of dry takes, partly filled before the first example. For each example it
cuts one of them at random, detunes and damages it; meanwhile it renders new takes, which replace
the oldest. Rendering is cheap beside learning, so most of each take is never used and examples
differ in their music and instruments. Examples are taken from the workers in turn, so that their
order does not depend on the workers' speed.
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
"""Takes on the shelf before the first example. A run that began with one take only got worse
(experiment 004, second run)."""

USES: Final = 0.35
"""Seconds of examples per second of rendered take. More makes training fit the takes on the shelf;
a fifth made training wait for rendering (experiment 004, second and fifth run)."""

QUEUE: Final = 48
CLEAN_SHARE: Final = 0.25
DETUNED_SHARE: Final = 0.5
LEVEL_DB: Final = (-30.0, -12.0)


@dataclass(frozen=True, slots=True)
class ExampleOptions:
    """Length and kinds of examples.

    Attributes
    ----------
    length_s : float
    damage : bool
    folders : tuple of Path
        Folders of music to use beside the archives.
    shares : mapping of str to float
        Probability of each kind of scene.
    """

    length_s: float = 4.8
    damage: bool = True
    folders: tuple[Path, ...] = ()
    shares: Mapping[Kind, float] = field(default_factory=lambda: SHARES)


def iterate_examples(
    symbolic: Path, seed: int, workers: int, options: ExampleOptions
) -> Iterator[Take]:
    """Yield examples for ever, rendered by ``workers`` processes.

    Raises
    ------
    RuntimeError
        With the traceback of a worker that failed.
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
    except Exception:  # passed on to the training process
        queue.put(traceback.format_exc())


def make_examples(
    corpora: Corpora, random: Generator, options: ExampleOptions, beginning: int = BEGINNING
) -> Iterator[Take]:
    """Yield examples for ever."""
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
    """Draw scenes until one can be rendered, and return it."""
    while True:
        try:
            return render(draw_scene(corpora, random, shares=shares), random)
        except ValueError:
            continue


def make_example(take: Take, random: Generator, options: ExampleOptions) -> Take:
    """Return a random excerpt of a take, detuned and damaged."""
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
    """Resample, which changes pitch and speed together."""
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
