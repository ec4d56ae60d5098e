"""The bot's messages: pure functions from values to texts in Telegram's HTML.

The Bot API limits messages to 4096 characters and captions to 1024, both counted without markup;
checking the length with markup is therefore safe.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Final

from babel.dates import format_timedelta

from bot import chords
from bot.client.types import (
    ChordSegment,
    Model,
    ModelState,
    Pitches,
    Progress,
    Queued,
    Result,
    ServiceStatus,
)
from bot.errors import BotError, BotErrorCode, ServiceErrorCode
from bot.fix_words import set_words
from bot.i18n import Translator
from bot.jobs import Stop
from bot.key_names import key_name
from bot.wishes.grammar import Understanding

MAX_MESSAGE_CHARS: Final = 4096
MAX_CAPTION_CHARS: Final = 1024
OPENING_CHORDS: Final = 8
DEFAULT_WAIT_S: Final = 30.0
STEMS: Final = ("karaoke", "a-cappella", "drums", "bass", "guitar", "piano", "other")
"""Stems that have a name in each language."""

_SOON_S: Final = 5.0
_STEP_S: Final = 5
_MINUTES_FROM_S: Final = 57.5
_NOT_A_COMMAND: Final = re.compile("(?<=[♭♯])/")
"""Telegram takes the "/F" of "B♭/F" for a command, and makes it a link; "∕" looks the same."""

_BAR_CELLS: Final = 12
_GRID_CHARS: Final = 34  # what fits a phone's width in Telegram's fixed-width type
_STATE_MARKS: Final = {
    ModelState.ACTIVE: "●",
    ModelState.LOADING: "◐",
    ModelState.AVAILABLE: "○",
    ModelState.NOT_FETCHED: "◌",
    ModelState.UNKNOWN: "?",
}


def queued_text(queued: Queued, t: Translator) -> str:
    """Status text of a request in the queue: how many are ahead, and when it will be ready."""
    place = (
        t.plural("status.queued", "status.queued.many", queued.position)
        if queued.position
        else t("status.next")
    )
    if queued.remaining_s is None:
        return place
    ready = t("status.ready", time=about(queued.remaining_s, t))
    return f"{place}\n{ready}"


def progress_text(progress: Progress, t: Translator) -> str:
    """Status text of a running request: the stage, the progress and the time that is left."""
    label = t(f"stage.{progress.stage}") if progress.stage else t("stage.working")
    fraction = min(1.0, max(0.0, progress.fraction))
    full = round(fraction * _BAR_CELLS)
    bar = "▰" * full + "▱" * (_BAR_CELLS - full)
    text = t("status.progress", label=label, bar=bar, percent=round(fraction * 100))
    if progress.remaining_s is None:
        return text
    if progress.remaining_s < _SOON_S:
        left = t("status.left.soon")
    else:
        left = t("status.left", time=about(progress.remaining_s, t))
    return f"{text}\n{left}"


def about(seconds: float, t: Translator) -> str:
    """``43.0`` to "45 s", ``130.0`` to "2 min": as exact as an estimate is."""
    if seconds < _MINUTES_FROM_S:
        return t("time.seconds", n=max(_STEP_S, _STEP_S * round(seconds / _STEP_S)))
    return t("time.minutes", n=round(seconds / 60))


def stopped_text(reason: Stop, t: Translator, *, survives: bool) -> str:
    """Final text of a job that was stopped; ``survives`` if it goes on after a restart."""
    if reason is Stop.REQUESTER:
        return t("status.cancelled")
    if survives:
        return t("status.restarting")
    return error_text(BotError(BotErrorCode.BOT_STOPPING), t)


def error_text(error: BotError, t: Translator, request_id: str = "") -> str:
    """The text of an error: what happened and what to do.

    A code without a text, from a service newer than this bot, gets that of ``INTERNAL``.
    """
    code = error.code if t.has(f"error.{error.code}") else ServiceErrorCode.INTERNAL
    limit, detail = _limit_and_detail(error.params, t)
    return t(
        f"error.{code}",
        limit=limit,
        detail=detail and f" {detail}",
        model=str(error.params.get("model", "–")),
        task=str(error.params.get("task", "–")),
        wait=t.duration(error.retry_after_s or DEFAULT_WAIT_S),
        request_id=request_id,
    )


def _limit_and_detail(params: Mapping[str, str | int | float], t: Translator) -> tuple[str, str]:
    """The limit and the actual value as texts; "–" and an empty string if unknown."""
    limit = detail = ""
    if (limit_bytes := _number(params.get("limit_bytes"))) is not None:
        limit = t.size(limit_bytes)
    elif (limit_s := _number(params.get("limit_s"))) is not None:
        limit = t.duration(limit_s)
    if (size_bytes := _number(params.get("size_bytes"))) is not None:
        detail = t("error.size", size=t.size(size_bytes))
    elif (duration_s := _number(params.get("duration_s"))) is not None:
        detail = t("error.length", length=t.length(duration_s))
    return limit or "–", detail


def _number(value: str | int | float | None) -> float | None:
    """Parse a parameter, which the service sends as text; None if it is not a number."""
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def caption(
    result: Result,
    title: str,
    t: Translator,
    *,
    with_models: bool = False,
    is_complete: bool = True,
) -> str:
    """Caption of a result's page, at most :data:`MAX_CAPTION_CHARS` characters.

    Its first line is the title, which the buttons need. It says so if the page was not delivered,
    or if the buttons will soon stop working. A metre or key in doubt has a question mark.
    """
    lines = _heading(title)
    if not is_complete:
        lines.append(t("controls.incomplete", view=t(f"view.{result.view}")))
    if result.kept_briefly:
        lines.append(t("controls.brief"))
    lines.append(_key_line(result, t))
    if result.pitches is Pitches.SUNG:
        lines.append(t("caption.sung"))
    metre = result.time_signature + _mark(result.metre_is_doubtful)
    lines.append(t("caption.rhythm", tempo=round(result.tempo_bpm), metre=metre))
    if corrected := set_words(result, t):
        lines.append(t("caption.corrected", what=corrected))
    if names := chords.opening(result.chords, OPENING_CHORDS):
        opening = _NOT_A_COMMAND.sub("∕", " · ".join(names))
        lines.append(t("caption.chords", chords=html.escape(opening, quote=False)))
    if result.stray_parts:
        lines.append(t("caption.stray", parts=_cut(", ".join(result.stray_parts), 100)))
    if with_models:
        used = _model_names(name for _, name in sorted(result.models.items()))
        lines.append(t("caption.models", models=used))
    return "\n".join(lines)


def _heading(title: str) -> list[str]:
    """The title as a line, if there is one."""
    return [f"<b>{html.escape(title, quote=False)}</b>"] if title else []


def _mark(is_doubtful: bool) -> str:
    """The mark of a reading that is shown without being sure."""
    return "?" if is_doubtful else ""


def _key_line(result: Result, t: Translator) -> str:
    shown = key_name(result.rendered_key, t) + _mark(result.key_is_doubtful)
    if not result.transpose_semitones:
        return t("caption.key", key=shown)
    return t(
        "caption.key.transposed",
        key=shown,
        original=key_name(result.key, t),
        shift=f"{result.transpose_semitones:+d}".replace("-", "−"),
    )


def _model_names(models: Iterable[str]) -> str:
    """Join model names, each once, ``name@version`` as "name version"; cut at 300 characters."""
    return _cut(", ".join(dict.fromkeys(model.replace("@", " ") for model in models)), 300)


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: chars - 1] + "…"


def not_understood_text(understood: Understanding, t: Translator) -> str:
    """What to answer to words about a page that are not understood: what can be said."""
    if understood.wishes and understood.unknown:
        refusal = t("wish.partly", words=" ".join(understood.unknown)[:100])
    else:
        refusal = t("wish.unknown")
    return refusal + "\n\n" + t("wish.examples")


def interrupted_text(result: Result, title: str, t: Translator) -> str:
    """Text above the button that sends a result again; its first line is the title."""
    return "\n".join([*_heading(title), t("status.interrupted", view=t(f"view.{result.view}"))])


def continuation_text(measures: int, bolder: int, title: str, t: Translator) -> str:
    """Caption of a continuation; its first line is the title, which the buttons need.

    ``bolder`` is positive if it is bolder than the one before, negative if it is calmer.
    """
    about = t.plural("continuation.measures", "continuation.measures.many", measures)
    if bolder:
        mood = t("continuation.bolder") if bolder > 0 else t("continuation.calmer")
        about += f", {mood}"
    return "\n".join([*_heading(title), about])


def shown_caption(result: Result, title: str, t: Translator, *, with_view: bool = True) -> str:
    """Caption of an extra file of a result: the title, and what of the result it shows."""
    about = _shown(result, t, with_view=with_view)
    return "\n".join([*_heading(title), about])


def _shown(result: Result, t: Translator, *, with_view: bool = True) -> str:
    """The view, the key, and whether pitches are as sung: "Melody, A minor, as sung"."""
    words = [t(f"view.{result.view}")] if with_view else []
    words.append(key_name(result.rendered_key, t))
    if result.pitches is Pitches.SUNG:
        words.append(t("shown.sung"))
    return ", ".join(words)


def stem_title(stem: str, title: str, t: Translator) -> str:
    """A stem's title in a player, "Song (karaoke)"; unknown stems keep their file's name."""
    name = t(f"stem.{stem}") if stem in STEMS else stem
    return f"{title} ({name})" if title else name


def chords_texts(result: Result, title: str, t: Translator) -> list[str]:
    """The chords bar by bar as fixed-width text, in as many messages as they need.

    In the key that ``result`` is shown in. Empty if no chord was heard.
    """
    if not any(chord.text for chord in result.chords):
        return []
    bars = chords.bars(result.chords, result.beats)
    lines = _grid(bars, t) if bars else _list(result.chords, t)
    heading = t("chords.heading", key=key_name(result.rendered_key, t))
    heading = "\n".join([*_heading(title), heading])
    blocks = _blocks(lines, MAX_MESSAGE_CHARS - len(heading) - len("\n"))
    first, *others = (f"<pre>{html.escape(block, quote=False)}</pre>" for block in blocks)
    return [f"{heading}\n{first}", *others]


def _grid(bars: Sequence[chords.Bar], t: Translator) -> list[str]:
    """Lines of up to four bars, each with the time that it starts at."""
    cells = [" ".join(bar.chords) for bar in bars]
    width = max(map(len, cells))
    stamp_chars = len(t.length(bars[-1].start_s))
    fitting = (_GRID_CHARS - stamp_chars - 1) // (width + 1)
    per_line = 4 if fitting >= 4 else 2 if fitting >= 2 else 1
    lines = []
    for first in range(0, len(bars), per_line):
        stamp = t.length(bars[first].start_s).rjust(stamp_chars)
        row = "|".join(cell.ljust(width) for cell in cells[first : first + per_line])
        lines.append(f"{stamp} |{row}|")
    return lines


def _list(segments: Sequence[ChordSegment], t: Translator) -> list[str]:
    """A line for each change, where there are no bars."""
    changes = [next(group) for _, group in groupby(segments, key=lambda chord: chord.text)]
    return [f"{t.length(chord.start_s):>5} {chord.text or chords.NO_CHORD}" for chord in changes]


def _blocks(lines: Sequence[str], max_chars: int) -> list[str]:
    """``lines`` joined into texts of at most ``max_chars`` characters."""
    blocks: list[str] = []
    for line in lines:
        if blocks and len(blocks[-1]) + 1 + len(line) <= max_chars:
            blocks[-1] += f"\n{line}"
        else:
            blocks.append(line)
    return blocks


def models_texts(
    models: Sequence[Model], t: Translator, *, with_figures: bool = False
) -> list[str]:
    """The list of models by task, as one or more messages, for administrators.

    A line for each model, short enough for a phone; with figures, each fact on a line of its own.
    """
    lines = [t("admin.models")]
    for task, group in groupby(sorted(models, key=lambda model: model.task), lambda m: m.task):
        lines += ["", f"<b>{html.escape(task)}</b>"]
        for model in group:
            lines.append(_model_line(model))
            if with_figures:
                lines += [f"    {fact}" for fact in _model_facts(model, t)]
    if not with_figures:
        states = {model.state for model in models}
        marks = [f"{_STATE_MARKS[s]} {t(f'model.{s}')}" for s in _STATE_MARKS if s in states]
        lines += ["", " · ".join(marks)]
    return _blocks(lines, MAX_MESSAGE_CHARS)


def _model_line(model: Model) -> str:
    return f"{_STATE_MARKS[model.state]} {html.escape(f'{model.name} {model.version}'.strip())}"


def _model_facts(model: Model, t: Translator) -> list[str]:
    """The state, licence and size of a model, then what was measured of it."""
    about = [t(f"model.{model.state}"), html.escape(model.licence)]
    if model.size_bytes:
        about.append(t.size(model.size_bytes))
    figures = [f"{html.escape(name)}: {value:.3g}" for name, value in sorted(model.figures.items())]
    return [", ".join(filter(None, about)), *figures]


def status_text(status: ServiceStatus, t: Translator) -> str:
    """The service's state, for administrators."""
    device = status.device
    if status.device_memory_bytes:
        device += f", {t.size(status.device_memory_bytes)}"
    return t(
        "admin.status",
        version=status.version,
        state=_state(status, t),
        queue=status.queue_length,
        limit=status.queue_limit,
        device=device,
        memory=t.size(status.memory_bytes),
        uptime=format_timedelta(timedelta(seconds=status.uptime_s), locale=t.language),
        active=_pairs(status.active),
        versions=_pairs(status.versions),
    )


def _state(status: ServiceStatus, t: Translator) -> str:
    if not status.ready:
        return t("admin.loading")
    return t("admin.busy") if status.busy else t("admin.idle")


def stats_text(
    status: ServiceStatus, running: int, outcomes: Mapping[str, int], t: Translator
) -> str:
    """Numbers of requests since the start, for administrators.

    Parameters
    ----------
    status : ServiceStatus
    running : int
        Number of this bot's running jobs.
    outcomes : Mapping[str, int]
        Number of this bot's finished jobs by outcome.
    t : Translator
    """
    return t(
        "admin.stats",
        completed=status.completed,
        failed=status.failed,
        running=running,
        outcomes=_pairs({name: str(count) for name, count in sorted(outcomes.items())}),
    )


def _pairs(pairs: Mapping[str, str]) -> str:
    return "\n".join(f"  {name}: {value}" for name, value in sorted(pairs.items())) or "  –"
