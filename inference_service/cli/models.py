"""``notabot models``: list, fetch and change models."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from inference_service.cli.options import add_server_options, connect
from inference_service.engine.choice import choose
from inference_service.errors import ModelFetchFailed
from inference_service.pipeline.stages import Task
from inference_service.settings import ModelSettings, Settings

if TYPE_CHECKING:
    from inference_service.cli.options import Commands
    from inference_service.engine.catalog import Catalog, ModelEntry


def add_commands(commands: Commands) -> None:
    """Add the command and its subcommands."""
    models = commands.add_parser("models", help="list, fetch and change models")
    actions = models.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list models; with --server, those of the service")
    add_server_options(listing)
    listing.set_defaults(command=_list_models)
    fetching = actions.add_parser(
        "fetch",
        help="download a model's weights, after saying how large they are and on what terms",
    )
    fetching.add_argument(
        "name", metavar="NAME", nargs="?", help="default: the preferred models of the profile"
    )
    fetching.add_argument(
        "--agree",
        action="store_true",
        help="agree to the model's terms; asked for otherwise if they exclude commercial use",
    )
    fetching.set_defaults(command=_fetch_model)
    using = actions.add_parser("use", help="make a running service use a model")
    using.add_argument("task", metavar="TASK")
    using.add_argument("model", metavar="MODEL")
    add_server_options(using)
    using.set_defaults(command=_use_model)


def _list_models(options: argparse.Namespace, settings: Settings) -> None:
    if options.server is not None:
        with connect(options, settings, admin=True) as client:
            rows: list[tuple[str, ...]] = [
                (m.task, m.name, m.version, m.licence, m.state, _megabytes(m.size_bytes))
                for m in client.list_models()
            ]
    else:
        rows = _local_models(settings.models)
    _print_table(("TASK", "MODEL", "VERSION", "LICENCE", "STATE", "FETCH"), rows)


def _local_models(settings: ModelSettings) -> list[tuple[str, ...]]:
    from inference_service.assembly import build_catalog

    catalog = build_catalog(settings.profile)
    candidates = catalog.candidates(settings.profile, settings.overrides)
    rows: list[tuple[str, ...]] = []
    for task in Task:
        for entry in catalog.models:
            if task not in entry.tasks:
                continue
            fetched = entry.is_fetched(settings.weights)
            state = "default" if candidates[task][0] is entry else "available"
            rows.append(
                (
                    task,
                    entry.name,
                    entry.version,
                    entry.licence,
                    state if fetched else "not fetched",
                    _megabytes(entry.size_bytes),
                )
            )
    return rows


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.0f} MB" if size_bytes else "-"


def _print_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(line.rstrip())


def _fetch_model(options: argparse.Namespace, settings: Settings) -> None:
    from inference_service.assembly import build_catalog
    from model_zoo.fetch import fetch_model

    catalog = build_catalog(settings.models.profile)
    if options.name is None:
        _fetch_preferred(catalog, settings.models)
        return
    entry = catalog.named(options.name)
    if not entry.published:
        print(f"{entry.name} comes with its package: nothing to fetch")
        return
    for line in _describe(entry):
        print(line)
    weights, token = settings.models.weights, settings.models.hub_token
    if entry.non_commercial and not options.agree and not entry.is_fetched(weights):
        _ask_for_agreement(entry)
    fetch_model(entry, weights, token=token.get_secret_value() if token else "")
    print(f"{entry.name} is fetched")


def _describe(entry: ModelEntry) -> Iterator[str]:
    """Yield what to know before a model is fetched, line by line."""
    hosts = sorted({urlsplit(file.url).netloc for file in entry.published})
    speeds = [
        f"{entry.figures[name]:g} s of {work} per second of sound"
        for name, work in (("rtf", "work on two CPU cores"), ("cpu", "one CPU core"))
        if name in entry.figures
    ]
    yield f"{entry.name}: {entry.summary}"
    yield f"  size     {_megabytes(entry.size_bytes)} from {', '.join(hosts)}"
    yield f"  speed    {', '.join(speeds) or 'not measured'}"
    yield f"  licence  {entry.licence}"
    if entry.terms:
        yield f"  terms    {entry.terms}"
    if entry.gate:
        yield f"  access   granted at {entry.gate}; needs NOTABOT_MODELS_HUB_TOKEN"


def _ask_for_agreement(entry: ModelEntry) -> None:
    """Ask on a terminal whether the terms are agreed to.

    Raises
    ------
    ModelFetchFailed
        If they are not, or there is nobody to ask.
    """
    if sys.stdin.isatty():
        answer = input("These weights are not for commercial use. Do you agree? [y/N] ")
        if answer.strip().lower() in ("y", "yes"):
            return
    raise ModelFetchFailed(
        f"the terms of {entry.name} exclude commercial use; --agree agrees to them"
    )


def _fetch_preferred(catalog: Catalog, settings: ModelSettings) -> None:
    """Fetch what the first start would.

    Raises
    ------
    ModelFetchFailed
        Says which models serve instead.
    """
    from inference_service.assembly import build_fetch

    candidates = catalog.candidates(settings.profile, settings.overrides)
    _, substitutions = choose(candidates, settings.weights, build_fetch(settings))
    if substitutions:
        raise ModelFetchFailed("; ".join(map(str, substitutions)))
    print(f"everything that the profile {settings.profile} prefers is here")


def _use_model(options: argparse.Namespace, settings: Settings) -> None:
    options.server = options.server or settings.server.listen
    with connect(options, settings, admin=True) as client:
        previous = client.activate(options.task, options.model)
    print(f"{options.task}: {options.model} serves now, instead of {previous}")
