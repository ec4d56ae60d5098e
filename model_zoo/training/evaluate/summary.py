"""Aggregates the comparisons of clips into figures.

F1 of notes is the mean over clips, as is usual in publications. Family accuracy and F1 of drums are
computed from counts summed over all clips; ``drum_mean`` is the mean over drum classes of such F1.
Intervals are 95 % bootstrap intervals over clips. Clips of one player are treated as independent,
so intervals are rather too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_zoo.training.evaluate.metrics import (
    UNKNOWN,
    Accuracy,
    Counts,
    Tags,
    compare_offsets,
    compare_onsets,
    compare_pitches,
    compare_velocities,
    confuse_families,
    count_families,
    count_strokes,
)
from model_zoo.training.tagger.take import FAMILY, VELOCITY

DRAWS: Final = 1000
_QUANTILES: Final = (0.025, 0.975)

Rows = NDArray[np.float64]


class Figure(NamedTuple):
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of labels and estimates on one clip.

    Attributes
    ----------
    accuracies : mapping of str to Accuracy
        Scores of ``onset``, ``pitch`` (and onset), ``offset`` (and both), and ``velocity`` (and
        all), the last only if both sides have velocities.
    confusion : np.ndarray, shape (len(FAMILIES), len(FAMILIES)), or None
    families : np.ndarray, shape (len(FAMILIES), 3), or None
    drums : np.ndarray, shape (len(DRUM_CLASSES), 3), or None
    """

    accuracies: Mapping[str, Accuracy]
    confusion: Counts | None = None
    families: Counts | None = None
    drums: Counts | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of one system on a set.

    Attributes
    ----------
    figures : mapping of str to Figure
        F1 by the names of :attr:`Comparison.accuracies`; ``precision`` and ``recall`` of ``pitch``;
        ``family``, the share of found notes with the right family; ``drums``; ``drum_mean``.
    clips : mapping of str to Comparison
    """

    figures: Mapping[str, Figure]
    clips: Mapping[str, Comparison]

    def total(self, name: str) -> Counts | None:
        """Return the sum over clips of a count of :class:`Comparison`, or None without counts."""
        counts = list(_present(getattr(clip, name) for clip in self.clips.values()))
        return np.sum(counts, axis=0) if counts else None


def compare(labels: Tags, estimated: Tags) -> Comparison:
    """Compare notes and drums, each if both sides have them."""
    accuracies: dict[str, Accuracy] = {}
    confusion = families = drums = None
    if labels.notes is not None and estimated.notes is not None:
        pair = labels.notes, estimated.notes
        accuracies |= {
            "onset": compare_onsets(*pair),
            "pitch": compare_pitches(*pair),
            "offset": compare_offsets(*pair),
        }
        if all(np.isfinite(notes[:, VELOCITY]).all() for notes in pair):
            accuracies["velocity"] = compare_velocities(*pair)
        if all((notes[:, FAMILY] != UNKNOWN).all() for notes in pair):
            confusion, families = confuse_families(*pair), count_families(*pair)
    if labels.strokes is not None and estimated.strokes is not None:
        drums = count_strokes(labels.strokes, estimated.strokes)
    return Comparison(accuracies, confusion, families, drums)


def summarise(clips: Mapping[str, Comparison]) -> Summary:
    """Aggregate the clips of a set."""
    figures: dict[str, Figure] = {}
    for name in ("onset", "pitch", "offset", "velocity"):
        accuracies = [clip.accuracies[name] for clip in clips.values() if name in clip.accuracies]
        if accuracies:
            figures[name] = bootstrap([[accuracy.f1] for accuracy in accuracies], _mean)
        if accuracies and name == "pitch":
            figures["precision"] = bootstrap(
                [[accuracy.precision] for accuracy in accuracies], _mean
            )
            figures["recall"] = bootstrap([[accuracy.recall] for accuracy in accuracies], _mean)
    confusions = list(_present(clip.confusion for clip in clips.values()))
    if confusions:
        shares = [[np.trace(counts), counts.sum()] for counts in confusions]
        figures["family"] = bootstrap(shares, _share)
    drums = list(_present(clip.drums for clip in clips.values()))
    if drums:
        figures["drums"] = bootstrap([counts.sum(axis=0) for counts in drums], _pooled_f1)
        figures["drum_mean"] = bootstrap([counts.ravel() for counts in drums], _mean_f1)
    return Summary(figures, clips)


def bootstrap(rows: Any, statistic: Callable[[Rows], Rows]) -> Figure:
    """Return a statistic of rows and its bootstrap interval.

    Parameters
    ----------
    rows : array-like, shape (N, K)
        A row for each clip.
    statistic : callable
        Maps resampled rows, shape (R, N, K), to values, shape (R,).
    """
    rows = np.asarray(rows, float)
    drawn = np.random.default_rng(0).integers(len(rows), size=(DRAWS, len(rows)))
    low, high = np.quantile(statistic(rows[drawn]), _QUANTILES)
    return Figure(float(statistic(rows[None])[0]), float(low), float(high))


def f1_of(counts: NDArray[Any]) -> Rows:
    """Return F1 from matched, estimated and labelled counts, shape (..., 3); 0 if all are 0."""
    matched, estimated, true = np.moveaxis(np.asarray(counts, float), -1, 0)
    return np.asarray(2 * matched / np.maximum(estimated + true, 1))


def _mean(rows: Rows) -> Rows:
    return np.asarray(rows[..., 0].mean(axis=1))


def _share(rows: Rows) -> Rows:
    part, whole = np.moveaxis(rows.sum(axis=1), -1, 0)
    return np.asarray(part / np.maximum(whole, 1))


def _pooled_f1(rows: Rows) -> Rows:
    return f1_of(rows.sum(axis=1))


def _mean_f1(rows: Rows) -> Rows:
    """Return the mean F1 over classes that are labelled or estimated at least once."""
    counts = rows.sum(axis=1).reshape(len(rows), -1, 3)
    there = counts[..., 1:].sum(axis=-1) > 0
    return np.asarray((f1_of(counts) * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1))


def _present(counts: Iterable[Counts | None]) -> Iterable[Counts]:
    return (count for count in counts if count is not None)
