"""Training of the melody bar network, on the melodies of scores.

A reading of an excerpt is a scale of its written values, a metre, and the tick at which the first
bar begins; from there all bars are of one length. The network learns to tell the written reading
from all others: the loss is its negative log probability, a softmax over the scores of all
readings. The tempo, which serving weighs too, plays no part in it. Without it, the scale of
instrumental music cannot be told: dance tunes have sixteenths where songs have eighths. Only songs
are therefore compared in all scales.

Metres are balanced by drawing them first (:mod:`.melody_excerpts`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from inference_service.rhythm.from_notes.melody_network import (
    BAR_TICKS,
    FIRST_PLACE,
    PLACES,
    MelodyBarNetwork,
    MelodyBarNetworkConfig,
)
from model_zoo.training.loop import Options, cosine, learn
from model_zoo.training.rhythm.barred import (
    BarredMelody,
    Melodies,
)
from model_zoo.training.rhythm.melody_excerpts import Draw, Example, draw_example
from model_zoo.training.rhythm.steps import count_steps

OPTIONS: Final = Options(
    minutes=45.0,
    batch=8,
    learning_rate=2e-3,
    schedule=partial(cosine, floor=0.02),
    warm_up_steps=50,
    average_decay=0.998,
    report_every_s=120.0,
)

_OPENING_COUNTS: Final = 0.3
"""Melodies that each first phase is given beside those counted. Set by hand."""
_DEV_EXCERPTS: Final = 2
_DEV_SEED: Final = 20_000_000


def count_openings(melodies: Iterable[BarredMelody]) -> NDArray[np.float32]:
    """Return the network's ``opening``, shape (PLACES,): log probabilities of first phases."""
    counts = np.full(PLACES, _OPENING_COUNTS)
    for melody in melodies:
        counts[FIRST_PLACE[melody.metre] + melody.find_phase(float(melody.onset_q[0]))] += 1
    totals = np.add.reduceat(counts, FIRST_PLACE)
    return np.asarray(np.log(counts / np.repeat(totals, BAR_TICKS)), np.float32)


def score_phases(potentials: Tensor, metre_bias: Tensor, ticks: Tensor | None = None) -> Tensor:
    """Return the score of each metre at each constant phase.

    Parameters
    ----------
    potentials : Tensor, shape (PLACES, T)
    metre_bias : Tensor, shape (len(METRES),)
    ticks : Tensor of int, shape (T,), optional
        The tick that each one counts as; by default, 0, 1, 2, ...

    Returns
    -------
    Tensor, shape (PLACES,)
        At ``FIRST_PLACE[metre] + phase``, for bars that begin ``phase`` ticks after the first tick.
    """
    if ticks is None:
        ticks = torch.arange(potentials.shape[1], device=potentials.device)
    scores = []
    for metre, (first, length) in enumerate(zip(FIRST_PLACE, BAR_TICKS, strict=True)):
        own = potentials[first : first + length]
        by_tick = own.new_zeros((length, length)).index_add(1, ticks % length, own)
        tick = torch.arange(length, device=own.device)
        place = (tick - tick[:, None]) % length  # (phase, tick)
        scores.append(by_tick[place, tick].sum(1) + metre_bias[metre])
    return torch.cat(scores)


def compute_loss(scores: Tensor, target: int) -> Tensor:
    """Return the negative log probability of the written reading, a scalar."""
    return torch.logsumexp(scores, 0) - scores[target]


def score_example(
    network: MelodyBarNetwork, example: Example, device: str = "cpu"
) -> tuple[Tensor, int]:
    """Return the scores of all readings, and the index of the written one.

    These are all metres and phases in each of the example's scales. Where pauses are too long or
    too short, those that follow the written bars come first, then those of constant phases.
    """
    potentials = [
        network(torch.from_numpy(features).to(device)[None])[0] for features in example.features
    ]
    scores = [score_phases(own, network.metre_bias) for own in potentials]
    if not example.is_steady:
        written = np.arange(len(example.shifts)) - example.shifts
        ticks = torch.from_numpy(written).to(device)
        scores.insert(0, score_phases(potentials[0], network.metre_bias, ticks))
    return torch.cat(scores), example.target


def train_melodies(
    melodies: Melodies,
    folder: Path,
    options: Options,
    say: Callable[[str], None],
    config: MelodyBarNetworkConfig | None = None,
) -> MelodyBarNetwork:
    """Train until the time is spent; return the average.

    Writes ``melody_bars.safetensors`` into the folder, beside the files of
    :mod:`model_zoo.training.loop`. Where no melodies are held out, evaluates on those learnt.

    Raises
    ------
    ValueError
        If there are no melodies to learn from.
    """
    torch.manual_seed(options.seed)
    drawing = Draw(melodies.learnt)
    dev = draw_dev_examples(melodies.held_out or melodies.learnt)
    network = MelodyBarNetwork(config)
    step, beginning = count_steps(melodies.learnt)
    network.opening.copy_(torch.from_numpy(count_openings(melodies.learnt)))
    network.step.copy_(torch.from_numpy(step))
    network.beginning.copy_(torch.from_numpy(beginning))

    def compute_losses(random: Generator) -> Mapping[str, Tensor]:
        examples = drawing.draw(random, options.batch)
        losses = [
            compute_loss(*score_example(network, example, options.device)) for example in examples
        ]
        return {"all": torch.stack(losses).mean()}

    return learn(
        network,
        folder / "melody_bars.safetensors",
        options,
        compute_losses,
        lambda average: measure(average, dev, options.device),
        say,
    )


def draw_dev_examples(melodies: Iterable[BarredMelody]) -> list[Example]:
    """Draw two excerpts of each melody, always the same ones, leaving out those too short."""
    random = np.random.default_rng(_DEV_SEED)
    drawn = [draw_example(melody, random) for melody in melodies for _ in range(_DEV_EXCERPTS)]
    return [example for example in drawn if example is not None]


def measure(
    network: MelodyBarNetwork, examples: Sequence[Example], device: str = "cpu"
) -> dict[str, float]:
    """Return the mean loss, and the shares of excerpts whose likeliest reading is right.

    ``scale`` is the share with the written values; ``metre`` that with these and the written metre;
    ``bars`` that with the bars beginning where they are written, too.
    """
    losses, right = [], np.zeros(3)
    with torch.inference_mode():
        for example in examples:
            scores, target = score_example(network, example, device)
            losses.append(compute_loss(scores, target).item())
            scale, reading = divmod(int(scores.argmax()), PLACES)
            metre, written = (_find_metre(index) for index in (reading, example.target))
            is_scale = scale == 0
            right += (
                is_scale,
                is_scale and metre == written,
                is_scale and reading == example.target,
            )
    shares = (right / max(len(examples), 1)).tolist()
    loss = float(np.mean(losses)) if losses else 0.0
    return {"loss": loss, **dict(zip(("scale", "metre", "bars"), shares, strict=True))}


def _find_metre(reading: int) -> int:
    return int(np.searchsorted(FIRST_PLACE, reading, side="right")) - 1
