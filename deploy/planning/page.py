"""Writes the tables of ``docs/planning.md`` and its picture.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``; the prose around it is written
by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from deploy.planning.demand import (
    CHATS,
    HOUR_S,
    KINDS,
    WEEKLY_PEAK,
    busiest_hour,
    draw_recordings,
    spread_saturday,
)
from deploy.planning.limits import (
    MESSAGES,
    PAGE_BYTES,
    STATE_BEATS_PER_S,
    STATE_OPERATIONS,
    STATE_OPERATIONS_PER_S,
    Limit,
    MeanSong,
    average,
    list_kept,
    list_replicated,
    list_shared,
)
from deploy.planning.queues import simulate
from deploy.planning.sizing import (
    CORES,
    GPUS,
    HOURS_A_MONTH,
    Plan,
    Prices,
    build_jobs,
    size,
)
from deploy.planning.work import StageTimes, Transfer

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "planning.md"
PICTURE: Final = ROOT / "docs" / "images" / "planning.png"
SIZES: Final = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
EVENINGS: Final = (100, 1_000, 10_000)
_TABLE: Final = re.compile(r"(<!-- table: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_SEED: Final = 7
_DAYS_A_MONTH: Final = 365.25 / 12


def write() -> None:
    """Simulate every size, and write the page and the picture."""
    times = StageTimes.load()
    plans = {
        name: {songs: size(busiest_hour(songs), hardware, times) for songs in SIZES}
        for name, hardware in (("cores", CORES), ("gpus", GPUS))
    }
    page = PAGE.read_text(encoding="utf-8")
    tables = {**quick_tables(times), **_slow_tables(times, plans)}
    PAGE.write_text(fill(page, tables), encoding="utf-8")
    draw(plans, times)


def fill(page: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """Return a page with the named tables regenerated; others stay as they are."""

    def replace(found: re.Match[str]) -> str:
        if found[2] not in tables:
            return found[0]
        return f"{found[1]}\n{tables[found[2]]()}\n{found[3]}"

    return _TABLE.sub(replace, page)


def quick_tables(times: StageTimes) -> dict[str, Callable[[], str]]:
    """Return the tables that need no simulation."""
    return {
        "measured": lambda: _measured(times),
        "recordings": _recordings,
        "assumed": _assumed,
        "limits": lambda: _limits(times),
    }


def _slow_tables(
    times: StageTimes, plans: Mapping[str, Mapping[int, Plan]]
) -> dict[str, Callable[[], str]]:
    return {
        "cores": lambda: _plans(plans["cores"], times),
        "gpus": lambda: _plans(plans["gpus"], times),
        "saturday": lambda: _saturday(plans, times),
    }


def _measured(times: StageTimes) -> str:
    lengths_s = (10.0, 60.0, 180.0)
    rows = []
    for kind in KINDS:
        for length_s in lengths_s:
            seconds = {stage: f"{s:.2f}" for stage, s in times.seconds(kind.name, length_s).items()}
            rows.append((kind.name, f"{length_s:g} s", seconds))
    stages = list(dict.fromkeys(stage for *_, seconds in rows for stage in seconds))
    return _table(
        ("recording", "length", *stages),
        [(name, length, *(s.get(stage, "") for stage in stages)) for name, length, s in rows],
    )


def _recordings() -> str:
    return _table(
        ("kind", "share", "median length", "middle two thirds", "kB a second"),
        [
            (
                kind.name,
                f"{kind.share:.0%}",
                f"{kind.median_s:g} s",
                f"{kind.median_s / np.exp(kind.spread):.0f} to "
                f"{kind.median_s * np.exp(kind.spread):.0f} s",
                f"{kind.bytes_per_s / 1000:g}",
            )
            for kind in KINDS
        ],
    )


def _assumed() -> str:
    prices, transfer, gpu = Prices(), Transfer(), GPUS.gpu
    assert gpu is not None
    return _table(
        ("assumed", "value"),
        [
            ("recordings on a Saturday, against a mean day", f"{WEEKLY_PEAK:g}"),
            ("recordings in the busiest hour, against a mean day", f"{busiest_hour(1.0):.1%}"),
            (
                "recordings that come from groups whose members send at once",
                f"{CHATS.share:.0%}, {CHATS.size:g} at a time, in about {CHATS.within_s:g} s",
            ),
            (
                "from Telegram to a gateway",
                f"{transfer.constant_s:g} s, then {transfer.bytes_per_s / 1e6:g} MB a second",
            ),
            ("a bot / a gateway", f"{CORES.bot_cores:g} / {CORES.gateway_cores:g} core"),
            ("a GPU: htdemucs", f"{gpu.separation_speed:g} times real time"),
            (
                "a GPU: other networks",
                f"{gpu.speedup:g} times a core, and {gpu.launch_s:g} s for each stage",
            ),
            (
                "a GPU: batches",
                f"up to {GPUS.batch} recordings; all but the longest add {GPUS.marginal:.0%} of "
                "their time",
            ),
            ("a core / a GPU, an hour", f"${prices.core_hour:g} / ${prices.gpu_hour:g}"),
            ("a page and its files", f"{PAGE_BYTES / 1000:g} kB"),
            (
                "operations on shared state: a song / one Valkey, a second",
                f"{STATE_OPERATIONS:g}, and {STATE_BEATS_PER_S:g} a second in work / "
                f"{STATE_OPERATIONS_PER_S:,.0f}",
            ),
            ("messages of a song", f"{MESSAGES}, and edits of the status"),
        ],
    )


def _limits(times: StageTimes) -> str:
    song = _average(times)
    answer_s = sum(song.core_s.values())
    limits = [*list_replicated(song), *list_kept(song), *list_shared(song, answer_s)]
    return _table(
        ("one of", "holds", "a song needs", "full at, songs a day", "then"),
        [
            (
                limit.name,
                f"{_short(limit.holds)} {limit.unit}" + ("" if limit.kept_days else " a second"),
                _short(limit.needs) + (f" for {limit.kept_days:g} d" if limit.kept_days else ""),
                _short(limit.full_at),
                limit.remedy,
            )
            for limit in sorted(limits, key=lambda limit: limit.full_at)
        ],
    )


def _plans(plans: Mapping[int, Plan], times: StageTimes) -> str:
    rows = []
    for songs, plan in plans.items():
        replicas = plan.replicas
        a_month = replicas.cost_an_hour(plan.hardware, Prices()) * HOURS_A_MONTH
        name, load = find_bottleneck(plan, songs, times)
        rows.append(
            (
                f"{songs:,}",
                _short(plan.songs_an_hour),
                *map(str, asdict(replicas).values()),
                f"{plan.wait_s:.1f} s",
                f"{np.median(plan.outcome.answers_s):.0f} s, {plan.answer_s:.0f} s",
                f"${_short(a_month)}",
                f"${1000 * a_month / (songs * _DAYS_A_MONTH):,.2f}",
                f"{name}: {_percent(load)}",
            )
        )
    return _table(
        (
            "songs a day", "in the busiest hour", "bots", "gateways", "decoding", "device",
            "analysis", "writing", "p95 wait", "answer: median, mean", "a month", "1000 songs",
            "first bottleneck",
        ),
        rows,
    )  # fmt: skip


def find_bottleneck(plan: Plan, songs_a_day: float, times: StageTimes) -> tuple[str, float]:
    """Return what is fullest in a fleet, and its load: a pool, or what replicas do not raise."""
    shared = list_shared(_average(times), plan.answer_s)
    loads = {limit.name: limit.load(songs_a_day) for limit in shared}
    loads |= plan.outcome.utilisation
    return max(loads.items(), key=lambda item: item[1])


@cache
def _average(times: StageTimes) -> MeanSong:
    return average(times)


def _saturday(plans: Mapping[str, Mapping[int, Plan]], times: StageTimes) -> str:
    rows = []
    for songs in EVENINGS:
        recordings = draw_recordings(
            spread_saturday(songs), HOUR_S, CHATS, np.random.default_rng(_SEED)
        )
        for name, by_size in plans.items():
            plan = by_size[songs]
            fleet = plan.replicas.build_fleet(plan.hardware)
            jobs = build_jobs(recordings, plan.hardware, times)
            outcome = simulate(fleet, jobs, warm_up=0.0)
            rows.append(
                (
                    f"{songs:,}",
                    name,
                    str(len(jobs)),
                    *(f"{np.percentile(outcome.waits_s, p):.1f} s" for p in (50, 95, 99)),
                    f"{outcome.waits_s.max():.0f} s",
                    _percent(outcome.refused),
                )
            )
    return _table(
        ("songs a day", "fleet", "sent", "median wait", "p95", "p99", "longest", "refused"), rows
    )


def draw(plans: Mapping[str, Mapping[int, Plan]], times: StageTimes) -> None:
    """Draw replicas, and how full what they do not raise is, over the songs a day."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for by_size, style in zip(plans.values(), ("-", "--"), strict=True):
        counts = [asdict(plan.replicas) for plan in by_size.values()]
        for number, pool in enumerate(counts[0]):
            left.loglog(
                list(by_size),
                [count[pool] for count in counts],
                style,
                color=f"C{number}",
                marker=".",
                label=pool if style == "-" else None,
            )
    left.set(title="Replicas (solid: cores; dashed: GPUs)", xlabel="songs a day")
    left.legend()
    song = _average(times)
    answer_s = plans["gpus"][SIZES[0]].answer_s
    limits: list[Limit] = [*list_kept(song), *list_shared(song, answer_s)]
    songs = np.array([SIZES[0], SIZES[-1]], dtype=float)
    for limit in limits:
        right.loglog(songs, [limit.load(number) for number in songs], label=limit.name)
    right.axhline(1.0, color="black", linewidth=0.8)
    right.set(title="How full one of each is", xlabel="songs a day", ylim=(1e-4, 1e5))
    right.legend(fontsize="small", loc="upper left")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(PICTURE, dpi=100)
    plt.close(figure)


def _percent(share: float) -> str:
    """Return ``0.3 %`` or ``149 %``."""
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


def _short(number: float) -> str:
    """Return a number with two or three significant digits: ``34``, ``1.2``, ``1.5 million``."""
    for unit, name in ((1e9, " billion"), (1e6, " million")):
        if number >= unit:
            return f"{number / unit:.3g}{name}"
    return f"{number:,.0f}" if number >= 100 else f"{number:.2g}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, which ends with a line break."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines).replace("| --- ", "|---")
