"""Load the grammars and the probabilities of each style."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from inference_service.continuation.grammar import Grammar, decode_grammar
from inference_service.continuation.options import Style
from inference_service.continuation.probabilities import Probabilities, decode_probabilities

GRAMMARS: Final = Path(__file__).parent / "grammars"
LEARNT: Final = (Style.POP, Style.CLASSICAL, Style.FOLK)


@dataclass(frozen=True, slots=True)
class SurpriseStatistics:
    """Mean and standard deviation of the surprise of a style's music, in bits per bar or note."""

    mean_bits: float
    deviation_bits: float


@dataclass(frozen=True, slots=True)
class StyleModel:
    """Learnt probabilities of a grammar, and the usual surprise of music in the style."""

    probabilities: Probabilities
    surprise: SurpriseStatistics


@dataclass(frozen=True, slots=True)
class Language:
    """What has been learnt of a style: harmony (surprise per bar) and melody (per note)."""

    style: Style
    harmony: StyleModel
    melody: StyleModel


@cache
def load_grammar(name: str) -> Grammar:
    """Load the grammar of ``harmony`` or ``melody``."""
    return decode_grammar((GRAMMARS / f"{name}.ebnf").read_text(encoding="utf-8"))


@cache
def load_language(style: Style) -> Language:
    """Load what has been learnt of a style.

    Raises
    ------
    FileNotFoundError
        If the style has not been learnt.
    """
    text = (GRAMMARS / f"{style}.json").read_text(encoding="utf-8")
    return decode_language(style, text)


def decode_language(style: Style, text: str) -> Language:
    """Parse the output of :func:`encode_language`."""
    models = {
        name: StyleModel(
            decode_probabilities(load_grammar(name), rows["counts"], tuple(rows["discounts"])),
            SurpriseStatistics(*rows["usual_bits"]),
        )
        for name, rows in json.loads(text).items()
    }
    return Language(style, **models)


def encode_language(language: Language) -> str:
    """Return what has been learnt of a style as JSON."""
    models = {"harmony": language.harmony, "melody": language.melody}
    return json.dumps(
        {
            name: {
                "usual_bits": [model.surprise.mean_bits, model.surprise.deviation_bits],
                "discounts": model.probabilities.discounts,
                "counts": model.probabilities.encode(),
            }
            for name, model in models.items()
        },
        separators=(",", ":"),
    )
