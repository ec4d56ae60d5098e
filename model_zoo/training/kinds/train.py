"""Descriptions of recordings, and the fit of the network by logistic regression on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Waveform
from inference_service.pipeline.routing import (
    DOUBTFUL,
    SONG,
    choose_excerpts,
    count_doublings,
    separate_vocals,
    weigh,
)
from inference_service.pipeline.stages import Separator
from inference_service.tagger.notes.kinds import FEATURES, KINDS, KindNet, describe
from inference_service.tagger.notes.tagger import TransformerTagger
from model_zoo.training.beats.prepare import load_corpora
from model_zoo.training.kinds.recordings import list_recordings
from model_zoo.training.kinds.scenes import draw_sound
from model_zoo.training.sound.damage import degrade
from model_zoo.training.sound.fluidsynth import RATE_HZ

EXCERPTS: Final = 2
"""Largest number of excerpts of a recording."""

INVERSE_PENALTY: Final = 0.02
"""Of logistic regression; among 0.02, 0.05 and 0.1 the best on the first half of the recordings."""

EXPECTED: Final = {"voice": 8.0}
"""How many times commoner than others kinds are among what people send; set by hand. Nearly all
recordings of a single line are voices."""

FREE: Final = frozenset({"guitar", "violin"})
"""Sources that may train what is shipped: GuitarSet and two violinists, CC BY. The terms of all
others allow only to measure."""

RENDERED: Final = "rendered"
DAMAGED: Final = ", damaged"


@dataclass(frozen=True, slots=True)
class Vocals:
    """The described vocals of a recording's excerpts.

    Attributes
    ----------
    levels_db : np.ndarray, shape (E,)
        Relative to the mixture.
    features : np.ndarray, shape (E, F)
    """

    levels_db: NDArray[np.float32]
    features: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Example:
    """A described recording.

    Attributes
    ----------
    kind, source : str
    half : int
        That of the original; -1 for a rendered one, which belongs to no half.
    features : np.ndarray, shape (E, F)
        Of its excerpts.
    vocals : Vocals or None
        None if it was not separated.
    """

    kind: str
    source: str
    half: int
    features: NDArray[np.float32]
    vocals: Vocals | None = None


_NO_VOCALS: Final = Vocals(np.zeros(0, np.float32), np.zeros((0, FEATURES), np.float32))


def describe_recordings(
    data: Path, tagger: TransformerTagger, network: KindNet, separator: Separator
) -> Iterator[Example]:
    """Yield the recordings of the data folder, each as it is and damaged.

    Damage is that of small microphones, rooms, noise and codecs, drawn at random.
    """
    random = np.random.default_rng(5)
    for recording in list_recordings(data):
        waveform = recording.load()
        if waveform is None:
            continue
        excerpts = choose_excerpts(waveform)[:EXCERPTS]
        damaged = [_damage(excerpt, random) for excerpt in excerpts]
        for suffix, heard in (("", excerpts), (DAMAGED, damaged)):
            separated = [separate_vocals(excerpt, separator) for excerpt in heard]
            vocals, levels_db = zip(*separated, strict=True)
            looked = Vocals(np.array(levels_db, np.float32), _describe(tagger, network, vocals))
            source, features = recording.source + suffix, _describe(tagger, network, heard)
            yield Example(recording.kind, source, recording.half, features, looked)


def describe_scenes(
    symbolic: Path,
    tagger: TransformerTagger,
    network: KindNet,
    seed: int,
    kinds: Sequence[str] = KINDS,
) -> Iterator[Example]:
    """Yield rendered recordings of some kinds in turn, without end."""
    random = np.random.default_rng(seed)
    corpora = load_corpora(symbolic, dev=False)
    while True:
        for kind in kinds:
            sound = None
            while sound is None:
                try:
                    sound = draw_sound(kind, corpora, random)
                except ValueError:
                    continue
            excerpts = choose_excerpts(Waveform(np.asarray(sound, np.float32)[None], RATE_HZ))
            chosen = excerpts[int(random.integers(len(excerpts)))]
            yield Example(kind, RENDERED, -1, _describe(tagger, network, [chosen]))


def _damage(excerpt: Waveform, random: Generator) -> Waveform:
    samples = resample(excerpt.mono(), excerpt.sample_rate_hz, RATE_HZ)
    return Waveform(degrade(samples, random)[None], RATE_HZ)


def _describe(
    tagger: TransformerTagger, network: KindNet, excerpts: Sequence[Waveform]
) -> NDArray[np.float32]:
    return np.stack([describe(*tagger.listen(excerpt), network) for excerpt in excerpts])


def fit(examples: Sequence[Example]) -> KindNet:
    """Return the network fitted to examples; each kind counts as much, and so do, within a kind,
    the real recordings together and the rendered ones together.
    """
    counts = Counter((example.kind, example.half < 0) for example in examples)
    features, kinds, weights = [], [], []
    for example in examples:
        share = 1 / (counts[example.kind, example.half < 0] * len(example.features))
        for row in example.features:
            features.append(row)
            kinds.append(KINDS.index(example.kind))
            weights.append(share)
    scaler = StandardScaler().fit(np.array(features))
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=5000)
    scale = len(features) / sum(weights)
    model.fit(scaler.transform(np.array(features)), kinds, np.array(weights) * scale)
    network = KindNet()
    with torch.no_grad():
        network.mean.copy_(torch.from_numpy(scaler.mean_))
        network.scale.copy_(torch.from_numpy(scaler.scale_))
        network.linear.weight.copy_(torch.from_numpy(model.coef_))
        expected = np.log([EXPECTED.get(kind, 1.0) for kind in KINDS])
        network.linear.bias.copy_(torch.from_numpy(model.intercept_ + expected))
    return network.eval()


def rate(network: KindNet, example: Example) -> str:
    """Return the kind that a network, and the level of the vocals, take an example for."""
    with torch.inference_mode():
        shares = network(torch.from_numpy(example.features)).mean(0).softmax(0)
    kinds = dict(zip(KINDS, shares.tolist(), strict=True))
    if kinds[SONG] >= DOUBTFUL and example.vocals is not None:
        kinds = weigh(kinds, _look(network, example.vocals))
    return max(kinds, key=kinds.__getitem__)


def _look(network: KindNet, vocals: Vocals) -> float:
    """Return how many times the vocals double the odds of a voice, as the router does."""
    with torch.inference_mode():
        scores = network(torch.from_numpy(vocals.features)).tolist()
    rated = (dict(zip(KINDS, row, strict=True)) for row in scores)
    return max(map(count_doublings, vocals.levels_db.tolist(), rated))


def select(examples: Sequence[Example], without_half: int | None = None) -> list[Example]:
    """Return the examples to fit: rendered ones, and recordings whose terms allow it.

    Parameters
    ----------
    examples : sequence of Example
    without_half : int, optional
        The half whose recordings are left out.
    """
    return [
        example
        for example in examples
        if example.half < 0
        or (example.half != without_half and example.source.removesuffix(DAMAGED) in FREE)
    ]


def cross_validate(examples: Sequence[Example]) -> dict[tuple[str, str], Counter[str]]:
    """Return, for each kind and source of real recordings, what they are taken for.

    Each half is rated by a network to which none of its recordings was fitted.
    """
    table: dict[tuple[str, str], Counter[str]] = {}
    for half in (0, 1):
        network = fit(select(examples, half))
        for example in examples:
            if example.half == half:
                row = table.setdefault((example.kind, example.source), Counter())
                row[rate(network, example)] += 1
    return table


def save(examples: Sequence[Example], path: Path) -> None:
    """Write examples."""
    path.parent.mkdir(parents=True, exist_ok=True)
    looked = [example.vocals or _NO_VOCALS for example in examples]
    np.savez_compressed(
        path,
        kinds=np.array([example.kind for example in examples]),
        sources=np.array([example.source for example in examples]),
        halves=np.array([example.half for example in examples]),
        counts=np.array([len(example.features) for example in examples]),
        features=np.concatenate([example.features for example in examples]),
        looks=np.array([len(vocals.levels_db) for vocals in looked]),
        levels_db=np.concatenate([vocals.levels_db for vocals in looked]),
        vocals=np.concatenate([vocals.features for vocals in looked]),
    )


def load(path: Path) -> list[Example]:
    """Read examples."""
    with np.load(path) as stored:
        features = np.split(stored["features"], np.cumsum(stored["counts"])[:-1])
        looks = np.cumsum(stored["looks"])[:-1]
        pairs = zip(
            np.split(stored["levels_db"], looks), np.split(stored["vocals"], looks), strict=True
        )
        looked = [Vocals(*pair) if len(pair[0]) else None for pair in pairs]
        columns = (stored["kinds"], stored["sources"], stored["halves"])
        return [
            Example(str(kind), str(source), int(half), rows, own)
            for kind, source, half, rows, own in zip(*columns, features, looked, strict=True)
        ]


Say = Callable[[str], None]


def print_table(table: dict[tuple[str, str], Counter[str]], say: Say) -> None:
    """Print a confusion table in Markdown."""
    say(f"| recording | kind | {' | '.join(KINDS)} | right |")
    say("|---" * (len(KINDS) + 3) + "|")
    right = total = 0
    by_kind: dict[str, Counter[bool]] = {}
    for (kind, source), row in sorted(table.items()):
        cells = " | ".join(str(row[other] or "") for other in KINDS)
        say(f"| {source} | {kind} | {cells} | {row[kind] / row.total():.0%} |")
        right, total = right + row[kind], total + row.total()
        by_kind.setdefault(kind, Counter()).update(
            {True: row[kind], False: row.total() - row[kind]}
        )
    for kind, counts in by_kind.items():
        say(f"{kind}: {counts[True] / counts.total():.1%} of {counts.total()}")
    say(f"all: {right / total:.1%} of {total}")
