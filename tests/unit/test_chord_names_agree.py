"""A chord has one name: on the page, the chord sheet and the roll, in the chat, in files.

In each of 24 keys, two thirds of them after a transposition, all of 17 roots are rendered with each
of 12 qualities and with each of 5 basses, and each place's names are compared with those of the
page. What the page writes is checked against the pitch classes of the labels, and by examples.
"""

from __future__ import annotations

import gc
import html
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product
from typing import Final
from xml.etree import ElementTree

import mido
import pytest

from bot.client.conversion import decode_result
from bot.client.types import Result
from bot.i18n import Translator, load_catalogues
from bot.key_names import key_name
from bot.views import OPENING_CHORDS, caption, chords_texts
from inference_service.continuation.joining import MARK
from inference_service.continuation.options import ContinuationOptions, Style
from inference_service.engine.corrected import Lineage
from inference_service.engine.service import Rendered
from inference_service.music.chord_names import with_signs, write_key
from inference_service.music.events import Key, Mode, Transcription
from inference_service.music.pitch import build_key, key_fifths, pitch_class, transpose_key
from inference_service.notation.views import View
from inference_service.pipeline import render as render_module
from inference_service.pipeline.continuation import continue_transcription
from inference_service.pipeline.options import ContinueOptions, Format, RenderOptions
from inference_service.pipeline.render import Rendering, render
from inference_service.progress import Stage
from inference_service.server.convert.events import encode_result
from tests.factories import perform

ROOTS: Final = (
    "C", "C#", "Db", "D", "D#", "Eb", "E", "F", "F#", "Gb", "G", "G#", "Ab", "A", "A#", "Bb", "B",
)  # fmt: skip
SUFFIXES: Final = {
    "maj": "", "min": "m", "7": "7", "maj7": "maj7", "min7": "m7", "dim": "dim", "aug": "+",
    "hdim7": "m7♭5", "dim7": "dim7", "aug7": "+7", "sus4": "sus4", "minmaj7": "m(maj7)",
}  # fmt: skip
"""What follows the root, by quality."""

BASSES: Final = {"": 0, "/3": 4, "/b3": 3, "/5": 7, "/b7": 10}
"""Semitones from the root to the bass."""

LABELS: Final = ["".join(parts) for parts in product(ROOTS, [f":{q}" for q in SUFFIXES], BASSES)]
MODES: Final[tuple[Mode, ...]] = ("major", "minor")
KEYS: Final = [build_key(tonic, mode) for mode in MODES for tonic in range(12)]

BEATS: Final = 12
"""Beats in a bar; 12/4, so that there are few bars."""

CONTEXT_BARS: Final = 64
"""Maximum number of given bars that a continuation shows."""

_NAME: Final = re.compile(r"([A-G][♯♭]*)([^/]*)(?:/([A-G][♯♭]*))?")


@pytest.fixture(scope="module")
def english() -> Translator:
    return Translator(load_catalogues(), "en")


@pytest.fixture(scope="module", autouse=True)
def frozen_imports() -> Iterator[None]:
    """Spare the garbage collector the modules' objects, which take it a third of the time."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pictures and the PDF be the SVG that they are made of."""
    monkeypatch.setattr(render_module, "rasterize", lambda svg: svg.encode())
    monkeypatch.setattr(render_module, "write_pdf", lambda svgs, _: "".join(svgs).encode())


def perform_chords(labels: Sequence[str], key: Key, beats: int = BEATS) -> Transcription:
    """A chord on each beat, with a tonic note on the first and each of the last four beats."""
    tonic = 60 + pitch_class(key.tonic)
    count = len(labels)
    return perform(
        {"piano": [(float(k), 1.0, tonic) for k in (0, *range(count - 4, count))]},
        key=key,
        time_signature=f"{beats}/4",
        chords=[(k, k + 1, label) for k, label in enumerate(labels)],
    )


def quiet(stage: Stage, fraction: float) -> None:
    """Ignore progress."""


def collapse(names: Iterable[str]) -> list[str]:
    """Leave out names that are equal to the one before: not every place repeats them."""
    return [name for name, _ in groupby(names)]


# The names that each place shows


@dataclass(frozen=True)
class Places:
    """One rendering: its files, its page, and the result that the bot receives."""

    files: dict[str, bytes]
    page: ElementTree.Element
    result: Result

    @classmethod
    def of(cls, heard: Transcription, options: RenderOptions) -> Places:
        wanted = replace(options, formats=frozenset({Format.MUSICXML, Format.MIDI, Format.JSON}))
        rendering = render(heard, wanted, quiet)
        drawn = replace(options, formats=frozenset({Format.PDF, Format.ROLL}), view=View.CHORDS)
        artifacts = (*rendering.artifacts, *render(heard, drawn, quiet).artifacts)
        files = {artifact.name: artifact.data for artifact in artifacts}
        page = ElementTree.fromstring(files["score.musicxml"])
        return cls(files, page, send(heard, wanted, rendering))


def send(heard: Transcription, options: RenderOptions, rendering: Rendering) -> Result:
    """The result after its way through the protocol."""
    rendered = Rendered("id", Lineage("id"), heard, options, rendering.shown, rendering.artifacts)
    return decode_result(encode_result(rendered))


def read_page(page: ElementTree.Element) -> list[str]:
    """Names as a reader of MusicXML sees them: root, text of the kind, bass."""
    return collapse(_read_harmony(harmony) for harmony in page.iter("harmony"))


def _read_harmony(harmony: ElementTree.Element) -> str:
    kind = harmony.find("kind")
    assert kind is not None
    bass = _read_note(harmony, "bass")
    return _read_note(harmony, "root") + kind.get("text", "") + (f"/{bass}" if bass else "")


def _read_note(harmony: ElementTree.Element, part: str) -> str:
    step = harmony.find(f"{part}/{part}-step")
    if step is None:
        return ""
    alter = int(harmony.findtext(f"{part}/{part}-alter", "0"))
    return step.get("text", step.text or "") + ("♯" * alter if alter > 0 else "♭" * -alter)


def read_markers(midi: bytes, mark: str = "") -> list[str]:
    """Names that markers have, those before a mark where one is given."""
    markers, now = [], 0
    for message in mido.MidiFile(file=io.BytesIO(midi), charset="utf-8").tracks[0]:
        now += message.time
        if message.type == "marker":
            markers.append((now, message.text))
    stop = next((tick for tick, text in markers if text == f"[{mark}]"), now + 1)
    return collapse(text for tick, text in markers if tick < stop)


def read_sheet(svg: bytes) -> list[str]:
    """Names of a chord sheet, where a root, its suffix and a bass are set one by one."""
    names: list[str] = []
    for text in _bold_texts(svg):
        if re.fullmatch(r"[A-G][♯♭]?", text):
            names.append(text)
        else:
            names[-1] += text
    return collapse(names)


def read_roll(svg: bytes) -> list[str]:
    return [text for text in _bold_texts(svg) if text]


def _bold_texts(svg: bytes) -> Iterator[str]:
    for text in re.findall(r'<text [^>]*font-weight="bold"[^>]*>([^<]*)</text>', svg.decode()):
        yield html.unescape(text)


def read_captions(result: Result, t: Translator) -> list[str]:
    """Names of captions that begin at every eighth chord."""
    names: list[str] = []
    for start in range(0, len(result.chords), OPENING_CHORDS):
        chords = result.chords[start : start + OPENING_CHORDS]
        text = html.unescape(caption(replace(result, chords=chords), "", t))
        (line,) = re.findall("Opening chords: (.*)", text)
        names += line.replace("∕", "/").split(" · ")  # lest Telegram takes "/F" for a command
    return collapse(names)


def read_chat(result: Result, t: Translator) -> list[str]:
    texts = (re.sub(r"</?pre>", "", text) for text in chords_texts(result, "", t))
    rows = "\n".join(texts).splitlines()
    cells = [cell for row in rows if "|" in row for cell in row.partition("|")[2].split("|")]
    return collapse(html.unescape(name) for cell in cells for name in cell.split())


def read_json(data: bytes) -> list[str]:
    return collapse(chord["text"] for chord in json.loads(data)["chords"])


def read_continuation(heard: Transcription, options: RenderOptions) -> list[str]:
    """Names of the given bars before the new ones."""
    asked = ContinueOptions(
        ContinuationOptions(
            1, Style.FOLK, population=2, generations=1, context_measures=CONTEXT_BARS
        ),
        replace(options, formats=frozenset({Format.MIDI}), view=View.FULL),
    )
    (midi,) = continue_transcription(heard, asked, quiet).artifacts
    return read_markers(midi.data, MARK)


# Every root, quality and bass in every key


def assert_one_name(heard: Transcription, options: RenderOptions, t: Translator) -> list[str]:
    """Compare all places, and return the names that they have."""
    places = Places.of(heard, options)
    names = read_page(places.page)
    assert read_markers(places.files["score.mid"]) == names
    assert read_sheet(places.files["score.pdf"]) == names
    assert read_captions(places.result, t) == names
    assert read_chat(places.result, t) == names
    on_roll, left = collapse(read_roll(places.files["roll.png"])), iter(names)
    assert on_roll
    assert all(name in left for name in on_roll), "in their order; not all have room"
    if options == RenderOptions():
        assert read_json(places.files["result.json"]) == names
        assert read_markers(places.files["performance.mid"]) == names
    assert_one_key(places, t)
    return names


def assert_one_key(places: Places, t: Translator) -> None:
    sent = places.result.rendered_key
    key = Key(sent.tonic, sent.mode)
    assert places.page.findtext(".//key/fifths") == str(key_fifths(key))
    assert f">Key: {write_key(key)}<" in places.files["score.pdf"].decode()
    assert f">{write_key(key)} · " in places.files["roll.png"].decode()
    assert key_name(sent, t) == f"{with_signs(key.tonic)} {key.mode}"


def continue_chords(labels: Sequence[str], key: Key, options: RenderOptions) -> list[str]:
    """Names in continuations that show all chords."""
    size = CONTEXT_BARS * BEATS
    return [
        name
        for start in range(0, len(labels), size)
        for name in read_continuation(perform_chords(labels[start : start + size], key), options)
    ]


@pytest.mark.parametrize("index", range(len(KEYS)))
def test_a_chord_has_one_name_in_all_places(index: int, english: Translator) -> None:
    # A third of all chords, in which every two of root, quality and bass meet.
    labels = LABELS[index // 3 % 3 :: 3]
    semitones = (0, index - 11, 11 - index)[index % 3]
    options = RenderOptions(transpose_semitones=semitones)
    shown = KEYS[index]
    heard = transpose_key(shown, -semitones)
    names = assert_one_name(perform_chords(labels, heard), options, english)
    assert continue_chords(labels, heard, options) == names
    for label, name in zip(labels, names, strict=True):
        assert_names(label, semitones, name)


def assert_names(label: str, semitones: int, name: str) -> None:
    """Whether a name sounds as a label does, transposed."""
    root, quality, bass = re.fullmatch(r"(.+):(\w+?)(/.*)?", label).groups()  # type: ignore[union-attr]
    match = _NAME.fullmatch(name)
    assert match is not None, name
    root_class = (pitch_class(root) + semitones) % 12
    assert _class_of(match[1]) == root_class, (label, name)
    assert match[2] == SUFFIXES[quality], (label, name)
    assert _class_of(match[3] or match[1]) == (root_class + BASSES[bass or ""]) % 12, (label, name)


def _class_of(note: str) -> int:
    return pitch_class(note.replace("♭", "b").replace("♯", "#"))


@pytest.mark.parametrize("index", range(0, len(KEYS), 4))
def test_a_simplified_chord_has_one_name_in_all_places(index: int, english: Translator) -> None:
    options = RenderOptions(transpose_semitones=index - 12, simple_chords=True)
    labels = [f"{root}:{quality}/3" for quality, root in product(SUFFIXES, ROOTS)]
    names = assert_one_name(perform_chords(labels, KEYS[index]), options, english)
    assert continue_chords(labels, KEYS[index], options) == names
    assert not any("/" in name or "sus" in name for name in names)


# Named cases


@pytest.mark.parametrize(
    ("key", "label", "name"),
    [
        (Key("A", "minor"), "E:7/3", "E7/G♯"),
        (Key("G", "major"), "B:7/3", "B7/D♯"),
        (Key("C", "major"), "C:aug7", "C+7"),
        (Key("C#", "minor"), "Ab:7", "G♯7"),
        (Key("C#", "minor"), "G:7", "G7"),
        (Key("Gb", "major"), "B:maj", "C♭"),
    ],
)
def test_names_of_examples(key: Key, label: str, name: str, english: Translator) -> None:
    heard = perform_chords([label] * 16, key, beats=4)
    assert assert_one_name(heard, RenderOptions(), english) == [name]
    assert continue_chords([label] * 16, key, RenderOptions()) == [name]


def test_where_no_chord_sounds(english: Translator) -> None:
    heard = perform_chords(["A:min", "A:min", "N", "N"] * 4, Key("A", "minor"), beats=4)
    places = Places.of(heard, RenderOptions())
    assert collapse(chord.text for chord in places.result.chords)[:2] == ["Am", ""]
    assert read_markers(places.files["score.mid"])[:2] == ["Am", "N.C."]
    assert read_page(places.page)[:2] == ["Am", "N.C."]
    assert read_captions(places.result, english) == ["Am"]
    assert read_chat(places.result, english)[:2] == ["Am", "–"]


def test_after_a_change_of_key_all_places_spell_in_the_new_one(english: Translator) -> None:
    triads = ((0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7))
    notes, chords = [], []
    for bar in range(32):
        lift = 4 * (bar >= 16)  # C major, then E major
        for beat, triad in enumerate(triads):
            notes += [(4 * bar + beat, 1, 48 + tone + lift) for tone in triad]
            root = ("C", "F", "G", ("Ab", "Db")[bar % 2])[beat]
            chords.append((4 * bar + beat, 4 * bar + beat + 1, root))
    heard = perform({"piano": notes}, chords=chords)
    names = assert_one_name(heard, RenderOptions(), english)
    assert names[:8] == ["C", "F", "G", "A♭", "C", "F", "G", "D♭"]
    assert names[-8:] == ["C", "F", "G", "G♯", "C", "F", "G", "C♯"]


def test_metre_and_tempo_are_the_pages(english: Translator) -> None:
    jig = perform({"piano": [(k, 1, 60) for k in range(24)]}, bpm=360, time_signature="6/8")
    places = Places.of(jig, RenderOptions())
    assert places.page.findtext(".//per-minute") == "120"
    assert "Tempo: 120 · Metre: 6/8" in caption(places.result, "", english)
    assert " · 6/8 · 120 bpm<" in places.files["roll.png"].decode()
