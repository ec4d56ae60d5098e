"""Scores as MusicXML: valid, and equal to the golden files.

The golden files in ``tests/golden/musicxml`` are written by ``make golden``. Read their difference
before committing it.
"""

from __future__ import annotations

import importlib.util
import random
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import xmlschema

from inference_service.music.events import Beat, Key, Transcription, name_notes
from inference_service.music.score import KeyChange, Score, ScoreMark, ScoreNote, ScorePart
from inference_service.notation.arrange import arrange
from inference_service.notation.musicxml import encode_musicxml
from inference_service.notation.quantize import quantize
from inference_service.notation.views import View
from tests.factories import perform

GOLDEN = Path(__file__).parents[2] / "golden" / "musicxml"


@cache
def schema() -> xmlschema.XMLSchema:
    """Return the schema of MusicXML 4.0, which the musicxml package contains."""
    package = importlib.util.find_spec("musicxml")
    assert package is not None
    assert package.origin is not None
    return xmlschema.XMLSchema(
        Path(package.origin).parent / "generate_classes" / "musicxml_4_0.xsd"
    )


def write(performance: Transcription, view: View = View.FULL, title: str = "") -> bytes:
    return encode_musicxml(arrange(quantize(performance, title), view))


ODE = [64, 64, 65, 67, 67, 65, 64, 62, 60, 60, 62, 64, 64, 62, 62]
ODE_BEATS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13.5, 14]

# Small performances, each with one problem of notation.
PERFORMANCES: dict[str, tuple[Transcription, View]] = {
    "melody": (
        perform(
            {"vocals": [(b, 0.9, p) for b, p in zip(ODE_BEATS, ODE, strict=True)]},
            jitter_s=0.01,
            chords=[(0, 4, "C:maj"), (4, 8, "G:7/5"), (8, 14, "C:maj"), (14, 16, "G:7")],
        ),
        View.LEAD_SHEET,
    ),
    "pickup": (
        perform(
            {"vocals": [(0, 1, 67), (1, 1.5, 72), (2.5, 0.5, 71), (3, 1, 72), (4, 3, 76)]},
            pickup_beats=1,
            time_signature="3/4",
            key=Key("F", "major"),
        ),
        View.MELODY,
    ),
    "triplets": (
        perform(
            {"vocals": [*((k / 3, 0.3, 60 + k) for k in range(6)), (2, 0.5, 66), (2.5, 1, 65)]}
        ),
        View.MELODY,
    ),
    "two_hands": (
        perform(
            {
                "piano": [(0, 4, 43), (0, 2, 67), (0, 2, 71), (2, 1, 72), (3, 1, 71), (4, 4, 48),
                          (4, 4, 55), (4, 1, 64), (5, 1, 65), (6, 2, 67)]
            },
            key=Key("G", "major"),
        ),
        View.FULL,
    ),
    "syncopation": (
        perform({"vocals": [(0, 0.5, 62), (0.5, 1, 65), (1.5, 2, 69), (3.5, 3, 70), (6.5, 1, 69)]},
                key=Key("D", "minor")),
        View.MELODY,
    ),
    "minor_spelling": (
        perform(
            {"vocals": [(k, 1, p) for k, p in enumerate([69, 68, 69, 66, 68, 70, 69, 64])]},
            key=Key("A", "minor"),
            chords=[(0, 4, "A:min"), (4, 8, "E:7")],
        ),
        View.LEAD_SHEET,
    ),
    "compound": (
        replace(
            perform({"vocals": [(0, 2, 67), (2, 1, 69), (3, 3, 71), (6, 3, 72), (9, 3, 67)]},
                    bpm=180, time_signature="6/8"),
            beats=tuple(Beat(k * 1.0, k % 2 + 1) for k in range(6)),
            tempo_bpm=60.0,
        ),
        View.MELODY,
    ),
    "drums": (
        perform({"drums": [(k / 2, 0.1, 42) for k in range(8)] + [(0, 0.1, 36), (1, 0.1, 38),
                           (2, 0.1, 36), (3, 0.1, 38)]}),
        View.FULL,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PERFORMANCES)
def test_small_performances_are_written_as_before(name: str, rewrite_golden: bool) -> None:
    performance, view = PERFORMANCES[name]
    musicxml = write(performance, view, name.replace("_", " ").capitalize())
    golden = GOLDEN / f"{name}.musicxml"
    if rewrite_golden:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_bytes(musicxml)
    assert musicxml.decode() == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("view", list(View))
@pytest.mark.parametrize("name", PERFORMANCES)
def test_small_performances_are_valid(name: str, view: View) -> None:
    validate(write(name_notes(PERFORMANCES[name][0]), view))


def validate(musicxml: bytes) -> None:
    error = next(schema().iter_errors(musicxml.decode().split("?>", 1)[1]), None)
    assert error is None, f"{error.path}: {error.reason}"


@pytest.mark.parametrize("signature", ["4/4", "3/4", "6/8", "7/8", "2/2", "5/4"])
def test_anything_is_valid(signature: str) -> None:
    generator = random.Random(signature)
    notes = [
        (generator.uniform(0, 24), generator.uniform(0.05, 5), generator.randint(0, 127))
        for _ in range(90)
    ]
    performance = perform(
        {"vocals": notes[:20], "piano": notes[20:], "drums": notes[:15]},
        time_signature=signature,
        key=Key("G#", "minor"),
        chords=[(0, 2, "N"), (2, 3, "G#:hdim7/b3"), (3, 9, "X"), (9, 20, "D#:sus4(b7)")],
    )
    for view in View:
        validate(write(performance, view, "Title & <more> “ё”"))


def elements(musicxml: bytes, path: str) -> list[ElementTree.Element]:
    return ElementTree.fromstring(musicxml).findall(path)


def test_title_and_tempo_are_written() -> None:
    musicxml = write(PERFORMANCES["compound"][0], View.MELODY, "Во поле берёза")
    assert elements(musicxml, "movement-title")[0].text == "Во поле берёза"
    (metronome,) = elements(musicxml, ".//metronome")
    assert [child.tag for child in metronome] == ["beat-unit", "beat-unit-dot", "per-minute"]
    assert metronome.findtext("per-minute") == "60"


def test_without_a_title_none_is_written() -> None:
    musicxml = write(PERFORMANCES["melody"][0])
    assert elements(musicxml, "movement-title") == []
    assert b"Music21 Fragment" not in musicxml


@pytest.mark.parametrize(
    ("part", "low", "clef"),
    [
        ("vocals", 67, ("G", None)),
        ("vocals", 50, ("G", "-1")),
        ("drums", 36, ("percussion", None)),
    ],
)
def test_clefs_suit_the_range(part: str, low: int, clef: tuple[str, str | None]) -> None:
    musicxml = write(perform({part: [(k, 1, low + k) for k in range(4)]}))
    (found,) = elements(musicxml, ".//clef")
    assert (found.findtext("sign"), found.findtext("clef-octave-change")) == clef


def test_accidentals_are_shown_once_a_bar_and_not_behind_ties() -> None:
    notes = [(0, 1, 66), (1, 1, 66), (2, 3, 65), (5, 1, 66)]
    musicxml = write(perform({"vocals": notes}, key=Key("C", "major")), View.MELODY)
    shown = [
        (note.findtext("pitch/step"), note.findtext("accidental"))
        for note in elements(musicxml, ".//note")
        if note.find("pitch") is not None
    ]
    assert shown == [
        ("F", "sharp"),
        ("F", None),
        ("F", "natural"),
        ("F", None),  # tied over the bar line
        ("F", "sharp"),
    ]


def test_chord_symbols_stand_at_their_beats() -> None:
    musicxml = write(PERFORMANCES["melody"][0], View.LEAD_SHEET)
    harmonies = elements(musicxml, ".//harmony")
    assert [(h.findtext("root/root-step"), h.find("kind").text) for h in harmonies] == [  # type: ignore[union-attr]
        ("C", "major"),
        ("G", "dominant"),
        ("C", "major"),
        ("G", "dominant"),
    ]
    assert harmonies[1].findtext("bass/bass-step") == "D"


def test_twenty_parts_have_identities_and_channels_of_midis_range() -> None:
    parts = {f"part {k}": [(0.0, 1.0, 60)] for k in range(20)}
    musicxml = write(perform(parts))
    ids = [part.get("id") for part in elements(musicxml, "part")]
    assert ids == [f"P{k + 1}" for k in range(20)]
    channels = [int(c.text or 0) for c in elements(musicxml, ".//midi-channel")]
    assert len(channels) == 20
    assert set(channels) <= set(range(1, 17)) - {10}
    validate(musicxml)


def page(*notes: ScoreNote, staves: int = 1, **fields: Any) -> bytes:
    part = ScorePart("piano", "Piano", tuple(sorted(notes)), 0, staves=staves)
    score = Score("", 120.0, "4/4", Key("C", "major"), (part,), (), **fields)
    musicxml = encode_musicxml(score)
    validate(musicxml)
    return musicxml


def test_a_lone_grace_note_is_slashed_and_several_are_beamed() -> None:
    musicxml = page(
        ScoreNote(Fraction(0), Fraction(0), 59, grace=1),
        ScoreNote(Fraction(0), Fraction(1), 60),
        ScoreNote(Fraction(1), Fraction(0), 62, grace=1),
        ScoreNote(Fraction(1), Fraction(0), 64, grace=2),
        ScoreNote(Fraction(1), Fraction(1), 65),
    )
    notes = elements(musicxml, ".//note")
    assert [n.findtext("pitch/step") for n in notes[:5]] == ["B", "C", "D", "E", "F"]
    assert [n.find("grace") is not None for n in notes[:5]] == [True, False, True, True, False]
    graces = elements(musicxml, ".//grace")
    assert [g.get("slash") for g in graces] == ["yes", "no", "no"]
    assert [[b.text for b in n.findall("beam")] for n in notes[2:4]] == [["begin"] * 2, ["end"] * 2]


def test_a_rolled_chord_has_its_wavy_line_on_every_note() -> None:
    chord = [ScoreNote(Fraction(0), Fraction(4), p, arpeggio=p == 60) for p in (60, 64, 67)]
    assert len(elements(page(*chord), ".//arpeggiate")) == 3


def test_swing_is_written_above_the_first_bar() -> None:
    musicxml = page(ScoreNote(Fraction(0), Fraction(4), 60), swing=True)
    (direction,) = elements(musicxml, "part/measure/direction")
    assert (direction.findtext("direction-type/words") or "").strip() == "Swing"
    assert direction.find("direction-type/metronome") is not None
    assert direction.findtext("sound/swing/first") == "2"


def test_a_change_of_key_is_written_and_spelt() -> None:
    musicxml = page(
        ScoreNote(Fraction(0), Fraction(4), 68),
        ScoreNote(Fraction(4), Fraction(4), 68),
        key_changes=(KeyChange(4, Key("E", "major")),),
    )
    assert [f.text for f in elements(musicxml, ".//fifths")] == ["0", "4"]
    steps = [(p.findtext("step"), p.findtext("alter")) for p in elements(musicxml, ".//pitch")]
    assert steps == [("A", "-1"), ("G", "1")]


def test_triplets_of_beats_have_one_bracket() -> None:
    third = Fraction(2, 3)
    musicxml = page(*(ScoreNote(k * third, third, 60 + k) for k in range(3)))
    assert [t.get("type") for t in elements(musicxml, ".//tuplet")] == ["start", "stop"]
    types = [n.findtext("type") for n in elements(musicxml, ".//note") if n.find("pitch")]
    assert types == ["quarter"] * 3
    assert elements(musicxml, ".//tie") == []


def test_octave_lines_keep_the_sounding_pitch() -> None:
    musicxml = page(*(ScoreNote(Fraction(k), Fraction(1), 100) for k in range(8)))
    shifts = [(s.get("type"), s.get("size")) for s in elements(musicxml, ".//octave-shift")]
    assert shifts == [("down", "8"), ("stop", "8")]
    assert {o.text for o in elements(musicxml, ".//octave")} == {"7"}


def test_a_change_of_clef_stands_in_its_staff() -> None:
    low = [ScoreNote(Fraction(k), Fraction(1), 48, staff=2) for k in range(8)]
    high = [ScoreNote(Fraction(k), Fraction(1), 76, staff=2) for k in range(8, 24)]
    top = [ScoreNote(Fraction(0), Fraction(24), 72)]
    clefs = elements(page(*low, *high, *top, staves=2), "part/measure/attributes/clef")
    assert [(c.get("number"), c.findtext("sign")) for c in clefs] == [
        ("1", "G"),
        ("2", "F"),
        ("2", "G"),
    ]


def test_two_voices_of_the_lower_staff_have_their_stems_apart() -> None:
    high = [ScoreNote(Fraction(k), Fraction(1), 55, staff=2) for k in range(4)]
    low = ScoreNote(Fraction(0), Fraction(4), 36, staff=2, voice=2)
    musicxml = page(ScoreNote(Fraction(0), Fraction(4), 72), *high, low, staves=2)
    voices = {
        n.findtext("voice"): n.findtext("pitch/octave") for n in elements(musicxml, ".//note")
    }
    assert voices == {"1": "5", "5": "3", "6": "2"}


def test_a_mark_stands_over_its_bar_behind_a_double_line_on_all_staves() -> None:
    upper = [ScoreNote(Fraction(k), Fraction(4), 72) for k in (0, 4)]
    musicxml = page(
        *upper,
        *(replace(n, pitch=48, staff=2) for n in upper),
        staves=2,
        marks=(ScoreMark(Fraction(0), "A"), ScoreMark(Fraction(4), "B")),
    )
    measures = elements(musicxml, "part/measure")
    assert [[r.text for r in m.iter("rehearsal")] for m in measures] == [["A"], ["B"]]
    assert [m.findtext("barline/bar-style") for m in measures] == ["light-light", "light-heavy"]


def test_a_mark_ends_the_bar_before_in_every_part() -> None:
    notes = (ScoreNote(Fraction(0), Fraction(8), 60),)
    parts = tuple(ScorePart(name, name, notes, 0) for name in ("one", "two"))
    marks = (ScoreMark(Fraction(4), "B"),)
    musicxml = encode_musicxml(Score("", 120.0, "4/4", Key("C", "major"), parts, (), marks=marks))
    validate(musicxml)
    styles = [s.text for s in elements(musicxml, ".//bar-style")]
    assert styles == ["light-light", "light-heavy"] * 2
    assert len(elements(musicxml, ".//rehearsal")) == 1


def test_each_of_two_voices_has_its_brackets_on_its_own_side() -> None:
    third = Fraction(1, 3)
    upper = [ScoreNote(k * third, third, 72 + k) for k in range(3)]
    lower = [ScoreNote(k * third, third, 60 + k, voice=2) for k in range(3)]
    alone, together = page(*upper), page(*upper, *lower)
    assert [t.get("placement") for t in elements(alone, ".//tuplet[@type='start']")] == [None]
    assert [t.get("placement") for t in elements(together, ".//tuplet[@type='start']")] == [
        "above",
        "below",
    ]
