"""The tunes of the rendered songs: held-out melodies with their chords, as they are printed.

=============  =====================================================================================
Source         Held out of the trainings
=============  =====================================================================================
musikpiraten   wholly: nothing is learnt from it
open_hymnal    by name, from rhythm and melodies (:func:`model_zoo.training.rhythm.corpora.is_dev`)
openewld       by name, from the same; the beats of songs are learnt from the sheets with other
               arrangements
=============  =====================================================================================

Musikpiraten's MIDI files have the melody and the chords as tracks, and a time signature, but begin
a full bar with the pickup; its length is that of the first ``\\partial`` of the LilyPond source. A
melody is the highest notes of a sheet's first part.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import mido
import numpy as np
from numpy.typing import NDArray

from inference_service.music.metre import TimeSignature
from model_zoo.training.sources.melodies import find_melody
from model_zoo.training.sources.openewld import Chord, read_chords
from model_zoo.training.sources.scores import WrittenPiece, parse_score, read_archive

Source = Literal["musikpiraten", "open_hymnal", "openewld"]
Floats = NDArray[np.float64]

TUNES: Final[dict[Source, tuple[str, ...]]] = {
    "musikpiraten": (
        "aber_heidschi_bumbeidschi_schlaf_lange",
        "alle_jahre_wieder",
        "als_ich_bei_meinen_schafen_wacht_",
        "am_weihnachtsbaume_die_lichter_brennen",
        "es_kommt_ein_schiff_geladen",
        "es_wird_scho_glei_dumpa",
        "froehliche_weihnacht_ueberall",
        "herbei_o_ihr_glaeub_gen_adeste_fideles-einstimmig",
        "ihr_kinderlein_kommet",
        "jingle_bells",
        "joseph_lieber_joseph_mein",
        "kommet_ihr_hirten",
        "lasst_uns_froh_und_munter_sein",
        "leise_rieselt_der_schnee",
        "macht_hoch_die_tuer",
        "maria_durch_ein_dornwald_ging",
        "morgen_kinder_wird_s_was_geben",
        "o_du_froehliche",
        "o_tannenbaum",
        "still_still_still",
        "stille_nacht_heilige_nacht",
        "suesser_die_glocken_nie_klingen",
        "vom_himmel_hoch_da_komm_ich_her",
        "we_wish_you_a_merry_christmas",
    ),
    "open_hymnal": (
        "Alleluia_Alleluia_Hearts_to_Heaven_and_Voices_Raise-Ode_To_Joy",
        "Beneath_The_Cross_Of_Jesus-St_Christopher",
        "Crown_Him_With_Many_Crowns-Diademata",
        "Holy_God_We_Praise_Thy_Name-Te_Deum-Hursley",
        "O_Father_All_Creating-Aurelia",
        "The_Old_Rugged_Cross-Old_Rugged_Cross",
    ),
    "openewld": (
        "Battle_Hymn_of_the_Republic",
        "Bidin'_My_Time",
        "Dancing_on_the_Ceiling",
        "I'm_Forever_Blowing_Bubbles",
        "I'm_Sitting_on_Top_of_the_World",
        "I_Wanna_Be_Loved_by_You",
        "I_Want_to_Be_Happy",
        "Memories",
        "Rock_of_Ages",
        "Row,_Row,_Row",
    ),
}
"""Names without folders and suffixes."""

_PARTIAL: Final = re.compile(r"\\partial\s*(\d+)(?:\*(\d+))?")


def _no_notes() -> Floats:
    return np.zeros((0, 3))


@dataclass(frozen=True, slots=True)
class Tune:
    """A printed melody of N notes; times in quarters from the first full bar.

    Attributes
    ----------
    name : str
    metre : TimeSignature
    onset_q, duration_q : np.ndarray, shape (N,)
        Onsets ascend strictly; those of a pickup are negative. No two notes overlap.
    pitch : np.ndarray of int, shape (N,)
        MIDI numbers.
    chords : tuple of Chord
    others : np.ndarray, shape (K, 3)
        Onset, end and pitch of the notes of the other voices, if the sheet has no chords.
    """

    name: str
    metre: TimeSignature
    onset_q: Floats
    duration_q: Floats
    pitch: NDArray[np.int64]
    chords: tuple[Chord, ...] = ()
    others: Floats = field(default_factory=_no_notes)

    @property
    def bar_q(self) -> float:
        """Length of a bar."""
        return float(self.metre.beats * self.metre.beat_quarters)

    @property
    def pickup_q(self) -> float:
        """Length of the pickup; 0 if there is none."""
        return max(-float(self.onset_q[0]), 0.0)


def load_tunes(symbolic: Path) -> Iterator[Tune]:
    """Read the tunes of :data:`TUNES` from the archives in a folder.

    Raises
    ------
    FileNotFoundError
        If an archive is missing.
    """
    with zipfile.ZipFile(symbolic / "musikpiraten.zip") as files:
        for name in TUNES["musikpiraten"]:
            yield read_song(name, files.read(f"midi/{name}.mid"), files.read(f"{name}.ly").decode())
    for source in ("open_hymnal", "openewld"):
        wanted = set(TUNES[source])
        for path, text in read_archive(symbolic / f"{source}.zip"):
            name = Path(path).stem
            if name in wanted:
                yield read_sheet(name, text)


def read_song(name: str, midi: bytes, lilypond: str) -> Tune:
    """Read a song of Musikpiraten from its MIDI file; its pickup from its LilyPond source."""
    file = mido.MidiFile(file=io.BytesIO(midi))
    tracks = [_read_notes(track, file.ticks_per_beat) for track in file.tracks]
    *_, melody = (notes for notes in tracks if len(notes))
    chords = next(notes for notes in tracks if len(notes))
    signature = next(m for track in file.tracks for m in track if m.type == "time_signature")
    pickup_q = 0.0
    if found := _PARTIAL.search(lilypond):
        unit, count = found.groups()
        pickup_q = 4.0 / int(unit) * int(count or 1)
    begins_q = np.unique(chords[:, 0])
    return _lay(
        name,
        TimeSignature(signature.numerator, signature.denominator),
        pickup_q,
        melody[:, 0],
        melody[:, 1] - melody[:, 0],
        melody[:, 2].astype(np.int64),
        tuple(_name_chord(q, np.sort(chords[chords[:, 0] == q, 2])) for q in begins_q),
        _no_notes(),
    )


def read_sheet(name: str, text: bytes) -> Tune:
    """Read a lead sheet or a hymn from MusicXML.

    Raises
    ------
    ValueError
        If it has too few notes.
    """
    score = parse_score(name, text)
    melody = find_melody(score)
    if melody is None:
        raise ValueError(f"{name}: no melody")
    metre = TimeSignature(int(score.bar_beats[0]), int(score.bar_unit[0]))
    first_q = float(score.bar_start_q[1]) if len(score.bar_start_q) > 1 else 0.0
    bar_q = float(metre.beats * metre.beat_quarters)
    chords = tuple(read_chords(text, score))
    return _lay(
        name,
        metre,
        first_q if first_q < bar_q - 1e-6 else 0.0,
        melody.onset_q,
        melody.duration_q,
        melody.pitch,
        chords,
        _no_notes() if chords else _find_others(score, melody.onset_q, melody.pitch),
    )


def repeat(tune: Tune, verses: int) -> Tune:
    """Return several verses of a tune, each from the first bar after the last that is complete."""
    end_q = float(tune.onset_q[-1] + tune.duration_q[-1])
    verse_q = np.ceil((end_q + tune.pickup_q) / tune.bar_q - 1e-6) * tune.bar_q
    shifts = [verse * verse_q for verse in range(verses)]
    return replace(
        tune,
        onset_q=np.concatenate([tune.onset_q + shift for shift in shifts]),
        duration_q=np.tile(tune.duration_q, verses),
        pitch=np.tile(tune.pitch, verses),
        chords=tuple(chord for shift in shifts for chord in _move(tune.chords, shift)),
        others=np.concatenate([tune.others + np.array([shift, shift, 0.0]) for shift in shifts]),
    )


def write_score(tune: Tune, intro_bars: int) -> tuple[WrittenPiece, Tune]:
    """Return a tune as a score, after an introduction of empty bars.

    Returns
    -------
    score : WrittenPiece
        Its times count from its beginning.
    tune : Tune
        The same notes and chords, with times that count from the score's beginning.
    """
    begins_q = intro_bars * tune.bar_q if intro_bars else tune.pickup_q
    end_q = begins_q + float(tune.onset_q[-1] + tune.duration_q[-1])
    bars_q = np.arange(begins_q - intro_bars * tune.bar_q, end_q - 1e-6, tune.bar_q)
    if not intro_bars and tune.pickup_q:
        bars_q = np.concatenate([[0.0], bars_q])
    count, bars = len(tune.pitch), len(bars_q)
    moved = replace(
        tune,
        onset_q=tune.onset_q + begins_q,
        chords=_move(tune.chords, begins_q),
        others=tune.others + np.array([begins_q, begins_q, 0.0]),
    )
    score = WrittenPiece(
        name=tune.name,
        onset_q=moved.onset_q,
        duration_q=tune.duration_q,
        pitch=tune.pitch,
        part=np.zeros(count, np.int64),
        staff=np.ones(count, np.int64),
        grace=np.zeros(count, np.bool_),
        marks=np.zeros((count, 0), np.bool_),
        bar_start_q=bars_q,
        bar_beats=np.full(bars, tune.metre.beats),
        bar_unit=np.full(bars, tune.metre.unit),
        bar_fifths=np.zeros(bars, np.int64),
        staves=(1,),
    )
    return score, moved


def _lay(
    name: str,
    metre: TimeSignature,
    pickup_q: float,
    onset_q: Floats,
    duration_q: Floats,
    pitch: NDArray[np.int64],
    chords: tuple[Chord, ...],
    others: Floats,
) -> Tune:
    """Return a tune whose times count from its first full bar, without overlaps."""
    until_q = np.append(onset_q[1:], np.inf) - onset_q
    return Tune(
        name,
        metre,
        onset_q - pickup_q,
        np.minimum(duration_q, until_q),
        pitch,
        _move(chords, -pickup_q),
        others - np.array([pickup_q, pickup_q, 0.0]),
    )


def _move(chords: tuple[Chord, ...], by_q: float) -> tuple[Chord, ...]:
    return tuple((start_q + by_q, root, intervals) for start_q, root, intervals in chords)


def _read_notes(track: mido.MidiTrack, ticks_per_q: int) -> Floats:
    """Return onset, end and pitch of a track's notes, sorted."""
    notes, sounding, tick = [], {}, 0
    for message in track:
        tick += message.time
        if message.type == "note_on" and message.velocity:
            sounding[message.note] = tick
        elif message.type in ("note_on", "note_off") and message.note in sounding:
            notes.append(
                (sounding.pop(message.note) / ticks_per_q, tick / ticks_per_q, message.note)
            )
    return np.array(sorted(notes), np.float64).reshape(-1, 3)


def _name_chord(start_q: float, pitches: Floats) -> Chord:
    """Return a chord whose lowest note is its root."""
    root = int(pitches[0])
    above = sorted({(int(pitch) - root) % 12 for pitch in pitches})
    return float(start_q), root % 12, tuple(above) if len(above) > 2 else (0, 4, 7)


def _find_others(score: WrittenPiece, onset_q: Floats, pitch: NDArray[np.int64]) -> Floats:
    """Return onset, end and pitch of the notes that are not the melody's."""
    melody = set(zip(onset_q.tolist(), pitch.tolist(), strict=True))
    rows = [
        (start, start + length, float(key))
        for start, length, key, grace in zip(
            score.onset_q.tolist(),
            score.duration_q.tolist(),
            score.pitch.tolist(),
            score.grace.tolist(),
            strict=True,
        )
        if not grace and length > 0 and (start, key) not in melody
    ]
    return np.array(rows, np.float64).reshape(-1, 3)
