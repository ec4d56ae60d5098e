"""Texts within Telegram's limits, whatever the result."""

from __future__ import annotations

import dataclasses
import re

import pytest

from bot.client.types import (
    Beat,
    ChordSegment,
    Key,
    Pitches,
    Preset,
    Progress,
    Queued,
    Result,
    Stage,
    View,
)
from bot.i18n import Translator
from bot.key_names import key_name
from bot.views import (
    MAX_CAPTION_CHARS,
    MAX_MESSAGE_CHARS,
    caption,
    chords_texts,
    progress_text,
    queued_text,
    shown_caption,
)

RESULT = Result(
    result_id="1",
    duration_s=8.0,
    tempo_bpm=96.4,
    time_signature="3/4",
    key=Key("C#", "minor"),
    rendered_key=Key("C#", "minor"),
    beats=tuple(Beat(0.5 * index, index % 3 + 1) for index in range(12)),
    chords=(ChordSegment(0.0, 3.0, "C♯m"), ChordSegment(3.0, 6.0, "G♯7")),
    models={"voice": "swift-f0@0.3.0"},
    preset=Preset.VOICE,
    view=View.FULL,
    transpose_semitones=0,
)


@pytest.mark.parametrize(
    ("tonic", "mode", "russian_name", "english_name"),
    [
        ("C#", "minor", "до-диез минор", "C♯ minor"),
        ("Bb", "major", "си-бемоль мажор", "B♭ major"),
        ("B", "minor", "си минор", "B minor"),
        ("G", "major", "соль мажор", "G major"),
    ],
)
def test_keys_have_their_names(
    russian: Translator,
    english: Translator,
    tonic: str,
    mode: str,
    russian_name: str,
    english_name: str,
) -> None:
    key = Key(tonic, mode)  # type: ignore[arg-type]
    assert key_name(key, russian) == russian_name
    assert key_name(key, english) == english_name


def test_caption_in_russian(russian: Translator) -> None:
    assert caption(RESULT, "Этюд", russian) == (
        "<b>Этюд</b>\n"
        "Тональность: до-диез минор\n"
        "Темп: 96 · Размер: 3/4\n"
        "Аккорды в начале: C♯m · G♯7"
    )
    assert caption(RESULT, "", russian, with_models=True).endswith("\nМодели: swift-f0 0.3.0")


def test_a_caption_says_that_pitches_are_as_sung(russian: Translator, english: Translator) -> None:
    sung = dataclasses.replace(RESULT, pitches=Pitches.SUNG, sung_differs=True)
    assert "\nВысота нот: как спето\n" in caption(sung, "", russian)
    assert "\nPitches: as sung\n" in caption(sung, "", english)
    assert shown_caption(sung, "", english) == "Full score, C♯ minor, as sung"
    assert shown_caption(sung, "", russian, with_view=False) == "до-диез минор, как спето"


def test_buttons_that_will_not_last_say_so(russian: Translator, english: Translator) -> None:
    brief = dataclasses.replace(RESULT, kept_briefly=True)
    assert caption(brief, "", english).startswith(
        "The service could not store this score, so the buttons will not work for long.\n"
    )
    assert "кнопки проработают недолго" in caption(brief, "", russian)
    assert "недолго" not in caption(RESULT, "", russian)


def test_the_bass_of_a_chord_is_no_command(english: Translator) -> None:
    chords = (ChordSegment(0.0, 3.0, "B♭/F"), ChordSegment(3.0, 6.0, "F/C"))
    text = caption(dataclasses.replace(RESULT, chords=chords), "", english)
    assert text.endswith("Opening chords: B♭∕F · F/C")


def test_a_caption_names_parts_that_were_left_out(russian: Translator, english: Translator) -> None:
    stray = dataclasses.replace(RESULT, stray_parts=("Guitar", "<Winds>"))
    assert caption(stray, "", english).endswith("\nLeft out, too few notes: Guitar, &lt;Winds&gt;")
    assert "Не записаны, слишком мало нот: Guitar" in caption(stray, "", russian)
    assert "Не записаны" not in caption(RESULT, "", russian)


def test_a_caption_always_fits(t: Translator) -> None:
    chords = tuple(
        ChordSegment(index, index + 1.0, f"{letter}♯m(maj7)/{letter}♯")
        for index, letter in enumerate("CDFGAC")
    )
    crowded = dataclasses.replace(
        RESULT,
        chords=chords * 3,
        models={f"task {number}": f"some-long-name-{number}@1.0.0" for number in range(40)},
        transpose_semitones=-24,
        kept_briefly=True,
        stray_parts=("Guitar",) * 100,
    )
    text = caption(crowded, "&" * 120, t, with_models=True, is_complete=False)
    assert len(re.sub(r"&\w+;", "&", text)) <= MAX_CAPTION_CHARS


def test_a_grid_of_chords_fits_a_phone(t: Translator) -> None:
    [text] = chords_texts(RESULT, "", t)
    grid = re.search(r"<pre>(.*)</pre>", text, re.DOTALL)
    assert grid is not None
    assert grid[1] == "0:00 |C♯m|C♯m|G♯7|G♯7|"


def test_a_long_song_takes_several_messages(english: Translator) -> None:
    bar_count = 1200
    chords = tuple(
        ChordSegment(2.0 * bar, 2.0 * bar + 2, "F♯m(maj7)/A" if bar % 2 else "C")
        for bar in range(bar_count)
    )
    beats = tuple(Beat(0.5 * beat, beat % 4 + 1) for beat in range(4 * bar_count))
    texts = chords_texts(dataclasses.replace(RESULT, chords=chords, beats=beats), "x", english)

    assert len(texts) > 1
    assert all(len(text) <= MAX_MESSAGE_CHARS + 100 for text in texts)
    plain = [re.sub(r"<[^>]+>", "", text) for text in texts]
    assert all(len(text) <= MAX_MESSAGE_CHARS for text in plain)
    rows = [row for text in plain for row in text.splitlines() if "|" in row]
    assert max(map(len, rows)) <= 34
    assert sum(row.count("C ") for row in rows) == bar_count // 2


def test_chords_without_bars_are_listed(english: Translator) -> None:
    [text] = chords_texts(dataclasses.replace(RESULT, beats=()), "", english)
    assert " 0:00 C♯m\n 0:03 G♯7" in text


def test_no_chords(english: Translator) -> None:
    silent = dataclasses.replace(RESULT, chords=(ChordSegment(0.0, 9.0, ""),))
    assert chords_texts(silent, "", english) == []


def test_progress_is_a_bar(english: Translator) -> None:
    text = progress_text(Progress(Stage.TAGGING, 0.5), english)
    assert text == "Listening for notes…\n▰▰▰▰▰▰▱▱▱▱▱▱ 50%"
    assert progress_text(Progress(None, 7.0), english).endswith("▰ 100%")


@pytest.mark.parametrize(
    ("remaining_s", "left", "russian_left"),
    [
        (1.0, "a few seconds left", "осталось несколько секунд"),
        (43.0, "about 45 s left", "осталось около 45 с"),
        (58.0, "about 1 min left", "осталось около 1 мин"),
        (200.0, "about 3 min left", "осталось около 3 мин"),
    ],
)
def test_progress_tells_the_time_that_is_left(
    english: Translator, russian: Translator, remaining_s: float, left: str, russian_left: str
) -> None:
    progress = Progress(Stage.TAGGING, 0.5, remaining_s)
    assert progress_text(progress, english).splitlines()[-1] == left
    assert progress_text(progress, russian).splitlines()[-1] == russian_left


def test_the_queue_tells_when_a_score_will_be_ready(
    english: Translator, russian: Translator
) -> None:
    assert queued_text(Queued(2, 130.0), english).endswith("\nReady in about 2 min.")
    assert queued_text(Queued(2, 130.0), russian).endswith(
        "\nНоты будут готовы примерно через 2 мин."
    )
    assert "\n" not in queued_text(Queued(2), english)
