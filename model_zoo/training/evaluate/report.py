"""Formats results as Markdown tables, aligned to be read as plain text, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from inference_service.music.families import FAMILIES
from model_zoo.training.evaluate.measure import Measured
from model_zoo.training.evaluate.metrics import DRUM_CLASSES, Counts
from model_zoo.training.evaluate.speed import SECTION, Agreement, Speed
from model_zoo.training.evaluate.summary import Figure, Summary, f1_of
from model_zoo.training.evaluate.targets import Verdict

COLUMNS: Final = {
    "pitch": "onset+pitch F1",
    "precision": "precision",
    "recall": "recall",
    "offset": "+offset",
    "velocity": "+velocity",
    "onset": "onset alone",
    "family": "family",
    "drums": "drums F1, all counts",
    "drum_mean": "drums F1, mean of classes",
}
"""Figures in the order of the table's columns, each with its heading."""

_WITH_INTERVAL: Final = ("pitch", "family", "drums")


def format_set(measured: Measured, verdicts: Sequence[Verdict]) -> str:
    """Return the section on a set, with details of the first system."""
    lines = [
        f"## {measured.name}: {measured.clips} clips, {measured.duration_s / 60:.1f} minutes, "
        f"sounds {measured.sha256[:8]}",
        "",
    ]
    summaries = measured.systems
    columns = [c for c in COLUMNS if any(c in own.figures for own in summaries.values())]
    rows = [["", *(COLUMNS[column] for column in columns)]]
    for name, summary in summaries.items():
        rows.append([name, *(_cell(summary, column) for column in columns)])
    lines += format_table(rows)
    ours = next(iter(summaries.values()))
    confusion, families = ours.total("confusion"), ours.total("families")
    if confusion is not None and families is not None and np.count_nonzero(families[:, 2]) > 1:
        lines += ["", *format_table(list(_family_rows(confusion, families)))]
    drums = ours.total("drums")
    if drums is not None and drums.any():
        lines += ["", *format_table(list(_drum_rows(drums)))]
    lines += ["", *_verdict_lines(verdicts)] if verdicts else []
    return "\n".join([*lines, ""])


def format_speed(
    speeds: Sequence[Speed], agreement: Agreement, threads: int, verdicts: Sequence[Verdict]
) -> str:
    """Return the section on speed."""
    rows = [["", "sound, s", "real-time factor", "peak, GB"]]
    rows += [
        [own.system, f"{own.length_s:.0f}", f"{own.real_time_factor:.3f}", f"{own.peak_gb:.2f}"]
        for own in speeds
    ]
    lines = [f"## {SECTION}: threads {threads}", "", *format_table(rows), ""]
    lines += [
        f"{agreement.notes} notes and strokes of a minute, in windows; "
        f"heard at once, it has {agreement.different} otherwise.",
        "",
    ]
    return "\n".join([*lines, *_verdict_lines(verdicts), ""])


def _verdict_lines(verdicts: Sequence[Verdict]) -> list[str]:
    return [
        f"- {v.what}: {v.measured:.3f}, to be {'at most' if v.at_most else 'at least'} "
        f"{v.bound:.3f}: {'met' if v.met else 'MISSED'}"
        for v in verdicts
    ]


def format_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table whose first row is the heading."""
    widths = [max(3, *(len(row[column]) for row in rows)) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [lines[0], rule, *lines[1:]]


def to_json(measured: Measured, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return all results on a set."""
    return {
        "clips": measured.clips,
        "duration_s": measured.duration_s,
        "sha256": measured.sha256,
        "systems": {name: _summary_json(own) for name, own in measured.systems.items()},
        "targets": [_verdict_json(verdict) for verdict in verdicts],
    }


def speed_to_json(
    speeds: Sequence[Speed], agreement: Agreement, threads: int, verdicts: Sequence[Verdict]
) -> dict[str, Any]:
    """Return all results on speed."""
    return {
        "threads": threads,
        "systems": [asdict(own) for own in speeds],
        "agreement": asdict(agreement),
        "targets": [_verdict_json(verdict) for verdict in verdicts],
    }


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    return {**asdict(verdict), "met": verdict.met}


def _cell(summary: Summary, name: str) -> str:
    figure = summary.figures.get(name)
    if figure is None:
        return "-"
    if name not in _WITH_INTERVAL:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.low:.2f} to {figure.high:.2f})"


def _family_rows(confusion: Counts, families: Counts) -> Iterator[list[str]]:
    """Yield, for each family, its notes, the share found, F1, and the families estimated."""
    shown = [f for f in range(len(FAMILIES)) if families[f, 1:].any() or confusion[:, f].any()]
    yield ["family", "notes", "found", "F1 with family", *(f"as {FAMILIES[f]}" for f in shown)]
    for family in shown:
        found = int(confusion[family].sum())
        true = int(families[family, 2])
        yield [
            FAMILIES[family],
            str(true),
            f"{found / true:.3f}" if true else "-",
            f"{float(f1_of(families[family])):.3f}",
            *(f"{confusion[family, f] / found:.2f}" if found else "-" for f in shown),
        ]


def _drum_rows(drums: Counts) -> Iterator[list[str]]:
    yield ["class", "strokes", "F1", "precision", "recall"]
    for name, (matched, estimated, true) in zip(DRUM_CLASSES, drums.tolist(), strict=True):
        f1 = float(f1_of(np.array([matched, estimated, true])))
        shares = [f"{matched / count:.3f}" if count else "-" for count in (estimated, true)]
        yield [name, str(true), f"{f1:.3f}", *shares]


def _summary_json(summary: Summary) -> dict[str, Any]:
    totals = {name: summary.total(name) for name in ("confusion", "families", "drums")}
    return {
        "figures": {name: _figure_json(figure) for name, figure in summary.figures.items()},
        "totals": {name: total.tolist() for name, total in totals.items() if total is not None},
        "clips": {
            name: {what: accuracy._asdict() for what, accuracy in clip.accuracies.items()}
            | ({"drums": clip.drums.tolist()} if clip.drums is not None else {})
            for name, clip in summary.clips.items()
        },
    }


def _figure_json(figure: Figure) -> dict[str, float]:
    return figure._asdict()
