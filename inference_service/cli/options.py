"""Options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from inference_service.cli.corrections import (
    add_correction_options,
    read_adjustments,
    read_edit,
)
from inference_service.notation.names import Language
from inference_service.notation.page import Paper
from inference_service.notation.views import View
from inference_service.pipeline.options import (
    DEFAULT_FORMATS,
    Format,
    Pitches,
    Preset,
    RenderOptions,
    clean_title,
)
from inference_service.settings import Settings

if TYPE_CHECKING:
    from inference_service.server.client import Client

    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]


def add_preset_option(parser: argparse.ArgumentParser) -> None:
    """Add the option for the kind of recording."""
    parser.add_argument(
        "--preset", type=Preset, choices=list(Preset), default=Preset.AUTO, help="kind of recording"
    )


def add_render_options(
    parser: argparse.ArgumentParser, formats: frozenset[Format] = DEFAULT_FORMATS
) -> None:
    """Add the options for what to write; :func:`read_render_options` reads them."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--view", type=_view, default=View.FULL, metavar="VIEW", help=_names(View))
    parser.add_argument(
        "--formats",
        type=_formats,
        default=formats,
        metavar="A,B",
        help=f"{_names(Format)} (default: {_names(sorted(formats))})",
    )
    parser.add_argument("--transpose", type=int, default=0, metavar="SEMITONES")
    parser.add_argument(
        "--simple-chords", action="store_true", help="chords as triads and sevenths"
    )
    parser.add_argument(
        "--pitches",
        type=Pitches,
        choices=list(Pitches),
        default=Pitches.MEANT,
        help="pitches of singing: as meant, or the nearest to what was sung",
    )
    parser.add_argument(
        "--paper", type=Paper, choices=list(Paper), default=Paper.A4, help="paper size of the PDF"
    )
    parser.add_argument(
        "--language",
        type=Language,
        choices=list(Language),
        default=Language.EN,
        help="language of part names on pages",
    )
    parser.add_argument("--title", metavar="TEXT", help="default: the file's name")
    add_correction_options(parser)


def read_render_options(options: argparse.Namespace) -> RenderOptions:
    """Return the options for what to write.

    Raises
    ------
    InvalidOptions, InvalidCorrections
        If a value is outside its range.
    """
    source: Path = options.input
    title = clean_title(options.title if options.title is not None else source.stem)
    return RenderOptions(
        options.view,
        options.transpose,
        options.formats,
        title,
        simple_chords=options.simple_chords,
        paper=options.paper,
        pitches=options.pitches,
        edit=read_edit(options),
        adjustments=read_adjustments(options),
        language=options.language,
    )


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a service; :func:`connect` reads them."""
    parser.add_argument("--server", metavar="HOST:PORT", help="a running service")
    parser.add_argument("--token", help="its bearer token (default: the one in the settings)")
    parser.add_argument("--tls-ca", type=Path, metavar="PEM", help="connect by TLS")
    parser.add_argument(
        "--tls-pair",
        type=Path,
        nargs=2,
        metavar=("PEM", "KEY"),
        help="own certificate and its key, if the service demands one",
    )


def connect(options: argparse.Namespace, settings: Settings, *, admin: bool = False) -> Client:
    """Return a connection to the service that the options name."""
    from inference_service.server.client import Client

    secret = settings.server.token
    if admin and settings.server.admin_token is not None:
        secret = settings.server.admin_token
    token = options.token or (secret.get_secret_value() if secret is not None else None)
    return Client(options.server, token, options.tls_ca, options.tls_pair)


def _names(kind: Iterable[str]) -> str:
    return ", ".join(name.replace("_", "-") for name in kind)


def _view(text: str) -> View:
    return View(text.replace("-", "_"))


def _formats(text: str) -> frozenset[Format]:
    return frozenset(Format(name.strip()) for name in text.split(",") if name.strip())
