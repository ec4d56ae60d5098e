"""Buttons of corrections fit Telegram's limits and come back as what they were."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiogram.filters.callback_data import MAX_CALLBACK_LENGTH

from bot.client.types import (
    Adjustments,
    BarRange,
    BarShift,
    BarUnit,
    Clef,
    Correctable,
    Corrections,
    Feel,
    FinestValue,
    Key,
    LocalShift,
    NamedKey,
    Part,
    PartCorrection,
    Pitches,
    Triplets,
)
from bot.fix_buttons import (
    CorrectButton,
    Edit,
    FixButton,
    Topic,
    decode_edit,
    encode_edit,
    topic_code,
)
from bot.fix_keyboards import fix_keyboard
from bot.i18n import Translator
from tests.bot.test_corrections import PAGE

EDITS = [
    Corrections(),
    Corrections("12/8", 0.5, 10.25, Key("F#", "minor")),
    Corrections(tempo_bpm=90.5),
    Corrections(key=Key("Bb", "major")),
    *(Corrections(finest_value=value) for value in FinestValue),
    *(Corrections(triplets=triplets) for triplets in Triplets),
    *(Corrections(feel=feel) for feel in Feel),
    *(Corrections(parts=(PartCorrection("strings 2", clef=clef),)) for clef in Clef),
    Corrections(parts=(PartCorrection("drums", left_out=True),)),
    Corrections(parts=(PartCorrection("drums", left_out=False),)),
    Corrections(parts=(PartCorrection("1", program=73),)),
    Corrections(bars=BarRange(5, 12)),
    Corrections(as_heard=tuple(Correctable)),
]
ADJUSTMENTS = [
    Adjustments(rescale=0.5),
    Adjustments(rescale=1 / 3),
    *(Adjustments(bar_shift=BarShift(count, unit)) for unit in BarUnit for count in (-1, 12)),
    Adjustments(key=NamedKey("F#", "minor")),
    Adjustments(local_shifts=(LocalShift(9, BarShift(-1, BarUnit.EIGHTH)),)),
    Adjustments(local_shifts=(LocalShift(123456, BarShift(100)),)),
    Adjustments(2.0, BarShift(1), NamedKey("C", "major")),
]


@pytest.mark.parametrize("edit", [*map(Edit, EDITS), *(Edit(adjustments=a) for a in ADJUSTMENTS)])
def test_edits_come_back(edit: Edit) -> None:
    decoded = decode_edit(encode_edit(edit))
    rescale = decoded.adjustments.rescale
    assert rescale == pytest.approx(edit.adjustments.rescale)
    adjustments = replace(decoded.adjustments, rescale=edit.adjustments.rescale)
    assert replace(decoded, adjustments=adjustments) == edit


@pytest.mark.parametrize(
    "text",
    [
        "?",
        "b",
        "bx",
        "kH",
        "p",
        "p?a",
        "r5",
        "r-",
        "vhalf",
        "tno",
        "F1",
        "F9x",
        "F9999b",
        "KH",
        "L1b",
        "L9",
        "L9/",
        "L0/1b",
        "L-1/1b",
        "L9/1",
        "B",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        decode_edit(text)
    with pytest.raises(ValueError, match="edit"):
        CorrectButton.unpack(f"y:1:f:0:r:{text}")


@pytest.mark.parametrize("topic", [topic for topic in Topic if topic is not Topic.NONE])
def test_keyboards_are_tidy_and_within_limits(t: Translator, topic: Topic) -> None:
    page = replace(
        PAGE,
        result_id="f" * 12,
        previous_id="e" * 12,
        transpose_semitones=-24,
        pitches=Pitches.SUNG,
        sung_differs=True,
        corrections=Corrections("3/4", 2.0, 12.25, Key("F#", "minor"), bars=BarRange(1, 2)),
    )
    bar = 9876 if topic in (Topic.AT_BAR, Topic.FROM_BAR) else 0
    page = replace(page, bar_count=9999)
    rows = fix_keyboard(page, topic, t, bar=bar).inline_keyboard
    assert 2 <= len(rows) <= 9
    for row in rows:
        assert sum(len(button.text) for button in row) <= 38
        for button in row:
            assert 1 <= len((button.callback_data or "").encode()) <= MAX_CALLBACK_LENGTH
    labels = [button.text for button in rows[-1]]
    assert t("button.undo") in labels
    assert t("button.keep") in labels


def test_bars_are_listed_in_turns(english: Translator) -> None:
    page = replace(PAGE, bar_count=70)

    def labels(bar: int) -> list[str]:
        rows = fix_keyboard(page, Topic.FROM_BAR, english, bar=bar).inline_keyboard
        return [button.text for row in rows[:-1] for button in row]

    assert labels(0) == [*map(str, range(2, 32)), "›"]
    assert labels(32) == [*map(str, range(32, 62)), "‹", "›"]
    assert labels(62) == [*map(str, range(62, 71)), "‹"]


def test_a_bar_stays_open_with_its_page() -> None:
    button = FixButton(
        result_id="f" * 12,
        view_code="f",
        transpose_semitones=0,
        topic_code=topic_code(Topic.AT_BAR, 3, 12),
    )
    back = FixButton.unpack(button.pack())
    assert (back.topic, back.page_number, back.bar) == (Topic.AT_BAR, 3, 12)
    assert topic_code(Topic.AT_BAR, 1, 12) == "g.12"


def test_buttons_whose_data_is_too_long_are_left_out(english: Translator) -> None:
    parts = (Part("x" * 60, "Long", 0, False, False), Part("drums", "Drums", None, True, False))
    rows = fix_keyboard(replace(PAGE, parts=parts), Topic.PARTS, english).inline_keyboard
    labels = [button.text for row in rows for button in row]
    assert "✓ Drums" in labels
    assert "✓ Long" not in labels


def test_a_part_with_a_separator_in_its_id_has_no_button(english: Translator) -> None:
    parts = (Part("a:b", "Odd", 0, False, False), Part("c;d", "Odder", 0, False, False))
    rows = fix_keyboard(replace(PAGE, parts=parts), Topic.PARTS, english).inline_keyboard
    labels = [button.text for row in rows for button in row]
    assert not {"✓ Odd", "✓ Odder"} & set(labels)
