"""Survey the corpora, learn a style, evaluate continuations, and compare searches.

``python -m model_zoo.training.continuation survey | learn | evaluate | searches``
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from inference_service.continuation.styles import GRAMMARS, encode_language
from model_zoo.training.continuation.corpora import CORPORA, Split, read_corpus
from model_zoo.training.continuation.evaluate import describe_figures, list_cases, summarise
from model_zoo.training.continuation.learn import learn_language
from model_zoo.training.continuation.plot import draw_curves
from model_zoo.training.continuation.searches import (
    KINDS,
    WAYS,
    Curves,
    compare,
    describe_curves,
    list_problems,
)
from model_zoo.training.continuation.song import Song
from model_zoo.training.continuation.survey import (
    PERPLEXITY_HEAD,
    STOCK_HEAD,
    STYLES,
    describe_holdings,
    describe_perplexities,
    take_stock,
)
from model_zoo.training.data import data_folder

PARTS: Final[tuple[Split, Split]] = ("train", "dev")
DEV_SONGS: Final = 30
"""Number of songs on which the usual surprise is measured."""

ROOT = Path(__file__).parents[3]
CACHE = ROOT / "var" / "continuation"


def main(arguments: list[str] | None = None, say: Callable[[str], None] = print) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m model_zoo.training.continuation")
    parser.add_argument(
        "--data", type=Path, default=data_folder(), help="folder that contains symbolic/"
    )
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of converted songs")
    commands = parser.add_subparsers(dest="command", required=True)
    surveying = commands.add_parser(
        "survey", help="count songs, and measure perplexities of chords"
    )
    surveying.add_argument(
        "--corpus", choices=CORPORA, action="append", help="may be repeated; default: all"
    )
    learning = commands.add_parser("learn", help="learn a style's probabilities from its corpus")
    learning.add_argument("corpus", choices=CORPORA)
    learning.add_argument("--out", type=Path, default=GRAMMARS, help="folder of the result")
    measuring = commands.add_parser(
        "evaluate", help="compare continuations with the songs themselves"
    )
    measuring.add_argument("corpus", choices=CORPORA)
    measuring.add_argument(
        "--songs", type=int, default=100, help="maximum number of held-out songs"
    )
    comparing = commands.add_parser(
        "searches", help="compare searches that evaluate equally many sentences"
    )
    comparing.add_argument("--corpus", choices=CORPORA, default="pop909")
    comparing.add_argument("--songs", type=int, default=24, help="number of development songs")
    comparing.add_argument("--seeds", type=int, default=10)
    comparing.add_argument("--population", type=int, default=60)
    comparing.add_argument("--generations", type=int, default=25)
    comparing.add_argument("--plot", type=Path, help="an SVG file of the curves")
    options = parser.parse_args(arguments)
    symbolic = options.data / "symbolic"
    if options.command == "survey":
        survey(options.corpus or [*CORPORA], symbolic, options.cache, say)
    elif options.command == "learn":
        learn(options.corpus, symbolic, options.cache, options.out, say)
    elif options.command == "evaluate":
        evaluate(options.corpus, symbolic, options.cache, options.songs, say)
    else:
        songs = islice(read_corpus(options.corpus, symbolic, "dev", options.cache), options.songs)
        compare_searches(
            songs, options.seeds, options.population, options.generations, options.plot, say
        )


def learn(
    corpus: str, symbolic: Path, cache: Path | None, out: Path, say: Callable[[str], None]
) -> None:
    """Learn the probabilities of a style, and write them."""
    train, dev = ([*read_corpus(corpus, symbolic, part, cache)] for part in PARTS)
    language = learn_language(STYLES[corpus], train, dev[:DEV_SONGS])
    path = out / f"{language.style}.json"
    path.write_text(encode_language(language), encoding="utf-8")
    bar_bits, note_bits = (m.surprise.mean_bits for m in (language.harmony, language.melody))
    say(f"{path}: {len(train)} songs; a bar of chords {bar_bits:.2f} bits, "
        f"a note of melody {note_bits:.2f} bits")  # fmt: skip


def evaluate(
    corpus: str, symbolic: Path, cache: Path | None, songs: int, say: Callable[[str], None]
) -> None:
    """Print the figures of continuations compared with the true bars."""
    cases = [*islice(list_cases(read_corpus(corpus, symbolic, "test", cache)), songs)]
    say(f"{len(cases)} songs of {corpus}")
    for line in describe_figures(summarise(cases)):
        say(line)


def compare_searches(
    songs: Iterable[Song],
    seeds: int,
    population: int,
    generations: int,
    plot: Path | None,
    say: Callable[[str], None],
) -> None:
    """Print a comparison of searches, and draw their curves."""
    problems = [found for song in songs if (found := list_problems(song))]
    curves: dict[str, Curves] = {}
    for kind in KINDS:
        curves[kind] = compare(
            [problem[kind] for problem in problems], seeds, population, generations
        )
        say(kind)
        for line in describe_curves(curves[kind], "pge", [way for way in WAYS if way != "pge"]):
            say(line)
    if plot is not None:
        plot.write_text(draw_curves(curves), encoding="utf-8")


def survey(
    corpora: Sequence[str], symbolic: Path, cache: Path | None, say: Callable[[str], None]
) -> None:
    """Print the contents of the corpora, then the perplexities of their chords."""
    stock = {name: take_stock(name, symbolic, cache) for name in corpora}
    say(STOCK_HEAD)
    for name, holdings in stock.items():
        for line in describe_holdings(name, holdings):
            say(line)
    say(PERPLEXITY_HEAD)
    for name, holdings in stock.items():
        for line in describe_perplexities(name, holdings):
            say(line)


if __name__ == "__main__":
    main()
