"""Scores of performances, compared with the written scores and with peers, on ASAP.

    python -m tests.bench.notation                               ours and both peers, every piece
    python -m tests.bench.notation --split tuning --system ours  a row a piece, then the mean
    python -m tests.bench.notation --split tuning --pieces 10    ten, spread out
    python -m tests.bench.notation --piece bwv_846               by part of a name

Error rates are MUSTER's (:mod:`tests.bench.muster`), in percent; a mean is taken over pieces.
Constants are chosen on the split ``tuning`` alone (:mod:`tests.bench.asap`). Four more figures are
shares of the matched notes, in percent: *metre*, under the right time signature; *key*, under the
right key signature; *staff*, on the right staff; *spelling*, with the right name. Beats and
downbeats are compared with the annotations (mir_eval, F1 within 70 ms, from 5 s on).

A full run takes an hour on one core; the scores that peers write are cached. For ``make bench``,
NOTABOT_BENCH_PIECES=20 limits the number of pieces, which are spread over the composers.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final

import mir_eval
import numpy as np
from numpy.typing import NDArray

from inference_service.assembly import build_stages
from inference_service.midi.reader import decode_performance
from inference_service.midi.writer import encode_performance
from inference_service.music.events import Beat
from inference_service.pipeline.notate import read_performance
from inference_service.pipeline.options import Format, RenderOptions, RhythmSource
from inference_service.pipeline.render import render
from inference_service.pipeline.stages import StageSet
from inference_service.progress import Stage
from inference_service.settings import Settings
from tests.bench import asap, muster, peers
from tests.bench.table import Row
from tests.bench.written import WrittenScore, read_musicxml_notes
from tests.conftest import DATA, ROOT
from tests.factories import perform

TITLE = "Notation: performed piano pieces (ASAP)"
SYSTEMS: Final = ("ours", "musescore", "music21")
MEAN_TARGET: Final = 14.0
RATIO_TARGET: Final = 0.60
ARCHIVE: Final = "scores_dev.zip"
RATES: Final = ("pitch", "missing", "extra", "onset", "offset", "mean")
ACCURACIES: Final = ("metre", "key", "staff", "spelling")
_WORDS: Final = {
    "pitch": "wrong pitches",
    "missing": "missing notes",
    "extra": "extra notes",
    "onset": "onset-time errors",
    "offset": "offset-time errors",
    "metre": "right time signature",
    "key": "right key signature",
    "staff": "right staff",
    "spelling": "right name",
    "beat": "beats, F1",
    "downbeat": "downbeats, F1",
}
_TUNE: Final = (60, 64, 67, 64, 62, 67, 71, 67, 65, 69, 72, 69, 64, 62, 60, 67) * 2
COLUMNS: Final = (*RATES, *ACCURACIES, "beat", "downbeat", "seconds")

Figures = dict[str, float]
"""A figure for each of :data:`COLUMNS`, NaN where a system gives none."""


@dataclass(frozen=True, slots=True)
class Notated:
    """The score that a system writes, and the beats that it estimates, if it reports them."""

    score: WrittenScore
    beats: tuple[Beat, ...] = ()


def notate(performance: bytes) -> tuple[bytes, tuple[Beat, ...]]:
    """Return MusicXML of a performance, and its beats, as ``notabot notate`` makes them."""
    stages = _stages()
    transcription = read_performance(
        decode_performance(performance), RhythmSource.AUTO, stages.rhythm, stages.key
    )
    wanted = RenderOptions(formats=frozenset({Format.MUSICXML}))
    (page,) = render(transcription, wanted, _unheard).artifacts
    return page.data, tuple(transcription.beats)


@cache
def _stages() -> StageSet:
    settings = Settings()
    return build_stages(settings.models)


def _unheard(stage: Stage, fraction: float) -> None:
    """Report progress to nobody."""


def write(system: str, piece: asap.Piece, cache: Path) -> Notated:
    """Return the score that a system writes for a piece."""
    name = piece.name.replace("/", "-")
    if system == "musescore":
        cached = cache / "musescore3" / f"{name}.musicxml.gz"
        return Notated(peers.notate_by_musescore(piece.performance, cached))
    if system == "music21":
        cached = cache / "music21" / f"{name}.npy"
        return Notated(peers.notate_by_music21(piece.performance, cached))
    musicxml, beats = notate(piece.performance)
    return Notated(read_musicxml_notes(musicxml), beats)


def measure(system: str, piece: asap.Piece, cache: Path) -> Figures:
    """Return the figures of a system on a piece."""
    start = time.perf_counter()
    written = write(system, piece, cache)
    seconds = time.perf_counter() - start
    return {**compare(piece.truth, written.score), **_beat_figures(piece, written.beats),
            "seconds": seconds}  # fmt: skip


def compare(truth: WrittenScore, score: WrittenScore) -> Figures:
    """Return the figures of a written score, given the true one."""
    alignment = muster.align(truth.notes, score.notes)
    rates = muster.rate(truth.notes, score.notes, alignment)
    figures = {name: float(getattr(rates, name)) for name in RATES}
    true, ours = alignment.truth, alignment.estimate
    if not len(true):
        return {**figures, **dict.fromkeys(ACCURACIES, 0.0)}
    true_onsets, onsets = truth.notes.onsets[true], score.notes.onsets[ours]
    right = {
        "metre": (truth.time_at(true_onsets) == score.time_at(onsets)).all(axis=1),
        "key": truth.key_at(true_onsets) == score.key_at(onsets),
        "staff": truth.staves[true] == score.staves[ours],
        "spelling": truth.spellings[true] == score.spellings[ours],
    }
    return {**figures, **{name: 100.0 * float(right[name].mean()) for name in ACCURACIES}}


def _beat_figures(piece: asap.Piece, beats: Sequence[Beat]) -> Figures:
    if not beats:
        return {"beat": float("nan"), "downbeat": float("nan")}
    times_s = np.array([beat.time_s for beat in beats])
    downbeats_s = np.array([beat.time_s for beat in beats if beat.position == 1])
    return {
        "beat": beat_f1(piece.beats_s, times_s),
        "downbeat": beat_f1(piece.downbeats_s, downbeats_s),
    }


def beat_f1(labels_s: NDArray[np.float64], times_s: NDArray[np.float64]) -> float:
    """Return the F1 of beats in percent; times in seconds, in any order."""
    trimmed = (mir_eval.beat.trim_beats(np.unique(times)) for times in (labels_s, times_s))
    return 100.0 * float(mir_eval.beat.f_measure(*trimmed))


# The section of the bench


def run(data: Path, cache: Path) -> Iterator[Row]:
    """Measure ours and both peers on every piece, or on as many as NOTABOT_BENCH_PIECES says.

    Raises
    ------
    FileNotFoundError
        If the pieces are absent, or MuseScore is not installed.
    """
    archive = data / ARCHIVE
    if not archive.is_file():
        raise FileNotFoundError(f"no {ARCHIVE} in {data}")
    if peers.find_musescore() is None:
        raise FileNotFoundError("no MuseScore 3: install musescore3")
    limit = os.environ.get("NOTABOT_BENCH_PIECES")
    names = spread(asap.list_pieces(archive), int(limit) if limit else None)
    reported = set(asap.list_pieces(archive, asap.REPORTED))
    processes = min(2, os.cpu_count() or 1)
    figures = {
        system: dict(measure_all(archive, names, system, cache / "asap", processes))
        for system in SYSTEMS
    }
    means = {system: mean_figures(list(rows.values())) for system, rows in figures.items()}
    ours, musescore = means["ours"], means["musescore"]
    held_back = mean_figures([row for name, row in figures["ours"].items() if name in reported])
    yield Row(f"mean error, percent, {len(names)} pieces", ours["mean"], MEAN_TARGET, at_most=True)
    yield Row("  on the half that no constant was chosen on", held_back["mean"])
    yield Row("  as a share of MuseScore 3's", ours["mean"] / musescore["mean"], RATIO_TARGET, True)
    for name in (*RATES[:-1], *ACCURACIES, "beat", "downbeat"):
        yield Row(f"  {_WORDS[name]}", ours[name])
    for system, title in (("musescore", "MuseScore 3"), ("music21", "music21")):
        yield Row(f"{title}: mean error, percent", means[system]["mean"])
        for name in (*RATES[:-1], *ACCURACIES):
            yield Row(f"  {_WORDS[name]}", means[system][name])


def spread(names: Sequence[str], count: int | None) -> list[str]:
    """Return ``count`` evenly spaced names, or all."""
    if count is None or count >= len(names):
        return list(names)
    return [names[k * len(names) // count] for k in range(count)]


def smoke() -> Iterator[Row]:
    """Measure on a synthetic tune with chords, played with a little rubato."""
    tune = [(k / 2, 1 / 2, pitch) for k, pitch in enumerate(_TUNE)]
    bass = [(2.0 * k, 2.0, pitch) for k, pitch in enumerate((48, 55, 53, 48) * 2)]
    performance = perform({"piano": [*tune, *bass]}, jitter_s=0.01)
    musicxml, _ = notate(encode_performance(performance))
    written = sorted([*tune, *bass])
    onsets, lengths, pitches = (np.array(column) for column in zip(*written, strict=True))
    truth = muster.ScoreNotes(onsets, onsets + lengths, pitches.astype(np.int64))
    rates = muster.muster(truth, read_musicxml_notes(musicxml).notes)
    yield Row("mean error, percent, a tune with a bass", rates.mean, MEAN_TARGET, at_most=True)


# Many pieces


def measure_all(
    archive: Path, names: Sequence[str], system: str, cache: Path, processes: int
) -> Iterator[tuple[str, Figures]]:
    """Yield figures piece by piece, in the order of names."""
    work = partial(_measure_named, archive=archive, system=system, cache=cache)
    if processes <= 1:
        yield from map(work, names)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(work, names)


def _measure_named(name: str, archive: Path, system: str, cache: Path) -> tuple[str, Figures]:
    return name, measure(system, asap.load_piece(archive, name), cache)


def mean_figures(figures: Sequence[Figures]) -> Figures:
    """Return means over pieces, of each column over those that have it."""
    means = {}
    for column in COLUMNS:
        values = [row[column] for row in figures if not np.isnan(row[column])]
        means[column] = float(np.mean(values)) if values else float("nan")
    return means


def main(arguments: Sequence[str] | None = None) -> None:
    """Print figures piece by piece."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.notation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--split", choices=["tuning", "reported", "all"], default="all")
    parser.add_argument("--system", action="append", choices=SYSTEMS, help="default: all")
    parser.add_argument(
        "--pieces", type=int, default=None, metavar="N", help="number of pieces, evenly spaced"
    )
    parser.add_argument("--piece", action="append", metavar="NAME", help="part of a piece's name")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args(arguments)
    archive, cache = DATA / ARCHIVE, ROOT / "var" / "bench" / "asap"
    names = asap.list_pieces(archive, options.split)
    if options.piece:
        names = [name for name in names if any(part in name for part in options.piece)]
    names = spread(names, options.pieces)
    reported = set(asap.list_pieces(archive, asap.REPORTED))
    summary = []
    for system in options.system or SYSTEMS:
        print(f"\n{system}, {len(names)} pieces ({options.split})")
        print(" " * 44 + "".join(f"{column:>9}" for column in COLUMNS))
        rows = {}
        for name, figures in measure_all(archive, names, system, cache, options.processes):
            rows[name] = figures
            print(_format_line(name, figures), flush=True)
        for title, chosen in (
            ("all", rows),
            ("tuning", {name: row for name, row in rows.items() if name not in reported}),
            ("reported", {name: row for name, row in rows.items() if name in reported}),
        ):
            if chosen:
                means = mean_figures(list(chosen.values()))
                summary.append(_format_summary(f"{system}, {len(chosen)} {title}", means))
    columns = [" | ".join(("", *COLUMNS)), "|".join(["---"] * (len(COLUMNS) + 1))]
    print("\n" + "\n".join(f"| {line} |" for line in (*columns, *summary)))


def _format_line(name: str, figures: Figures) -> str:
    return f"{name[-44:]:<44}" + "".join(f"{figures[column]:9.1f}" for column in COLUMNS)


def _format_summary(title: str, figures: Figures) -> str:
    cells = ("" if np.isnan(figures[name]) else f"{figures[name]:.1f}" for name in COLUMNS)
    return " | ".join((title, *cells))


if __name__ == "__main__":
    main()
