"""The contents of the corpora, and the perplexity of the next chord."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from inference_service.continuation.options import Style
from inference_service.continuation.styles import load_language
from inference_service.music.events import NO_CHORD
from model_zoo.training.continuation.chord_rules import ChordRules
from model_zoo.training.continuation.corpora import SPLITS, Split, read_corpus
from model_zoo.training.continuation.ngrams import (
    NGrams,
    Sentence,
    WittenBell,
    learn_kneser_ney,
    list_degrees,
    measure_perplexity,
)
from model_zoo.training.continuation.song import Song

STYLES: Final = {"pop909": Style.POP, "lieder": Style.CLASSICAL, "openewld": Style.FOLK}
ORDERS: Final = (1, 2, 3, 4)


@dataclass(slots=True)
class Holding:
    """The contents of a part of a corpus.

    Attributes
    ----------
    songs, sung : int
        Number of songs, and of those with a melody.
    bars, chords, notes : int
        Numbers of full bars, chord symbols and notes of melodies.
    key_changes : int
    sentences : list of Sentence
        The degrees of each song.
    """

    songs: int = 0
    sung: int = 0
    bars: int = 0
    chords: int = 0
    notes: int = 0
    key_changes: int = 0
    sentences: list[Sentence] = field(default_factory=list)

    def add(self, song: Song) -> None:
        """Count a song."""
        self.songs += 1
        self.sung += bool(song.melody)
        self.bars += sum(bar.number > 0 for bar in song.score.bars())
        self.chords += sum(chord.label != NO_CHORD for chord in song.score.chords)
        self.notes += len(song.melody)
        self.key_changes += len(song.score.key_changes)
        self.sentences.append(list_degrees(song.score))


def take_stock(name: str, symbolic: Path, cache: Path | None) -> dict[Split, Holding]:
    """Count the contents of each part of a corpus."""
    holdings = {}
    for split in SPLITS:
        holdings[split] = Holding()
        for song in read_corpus(name, symbolic, split, cache):
            holdings[split].add(song)
    return holdings


def describe_holdings(name: str, holdings: dict[Split, Holding]) -> Iterator[str]:
    """Yield the rows of a table under :data:`STOCK_HEAD`."""
    for split, held in holdings.items():
        degrees = sum(len(sentence) for sentence in held.sentences)
        yield (
            f"{name:9} {split:5} {held.songs:6} {held.sung:6} {held.bars:7} {held.chords:7} "
            f"{degrees:7} {held.key_changes:6} {held.notes:7}"
        )


def describe_perplexities(name: str, holdings: dict[Split, Holding]) -> Iterator[str]:
    """Yield the perplexities of models on development and test songs."""
    train, dev, test = (holdings[split].sentences for split in SPLITS)
    rules = ChordRules(load_language(STYLES[name]).harmony.probabilities)
    on_dev, on_test = (measure_perplexity(rules, part) for part in (dev, test))
    yield f"{name:9} rules {on_dev:8.2f} {on_test:8.2f}  the grammar's, Kneser-Ney"
    for order in ORDERS:
        models: dict[str, NGrams] = {"Witten-Bell": WittenBell(train, order)}
        kneser_ney = learn_kneser_ney(train, dev, order)
        models[f"Kneser-Ney {' '.join(map(str, kneser_ney.discounts))}"] = kneser_ney
        for label, model in models.items():
            on_dev, on_test = (measure_perplexity(model, part) for part in (dev, test))
            yield f"{name:9} {order:5} {on_dev:8.2f} {on_test:8.2f}  {label}"


STOCK_HEAD: Final = "corpus    part   songs   sung    bars  chords degrees   keys   notes"
PERPLEXITY_HEAD: Final = "corpus    order      dev     test  smoothing"
