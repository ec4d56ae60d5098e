"""Files in and out, and how far the work is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from inference_service.progress import Stage

OverallReport: TypeAlias = Callable[[Stage, float], None]
"""Told the stage, and the fraction of the whole."""


def read(path: Path, max_bytes: int) -> bytes:
    """Read a file, at most one byte over the limit, which decoding then refuses."""
    with path.open("rb") as file:
        return file.read(max_bytes + 1)


def write_files(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write files, all of them whole or none, and print their paths."""
    print_paths(save(folder, files))


def save(folder: Path, files: Iterable[tuple[str, bytes]]) -> list[Path]:
    """Write files, all of them whole or none; of an iterator, no more than one is held."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary: dict[Path, Path] = {}
    try:
        for name, data in files:
            path = folder / Path(name).name
            temporary[path] = path.with_name(f".{path.name}.tmp")
            temporary[path].write_bytes(data)
        for path, written in temporary.items():
            written.replace(path)
    finally:
        for written in temporary.values():
            written.unlink(missing_ok=True)
    return list(temporary)


def print_paths(paths: Iterable[Path]) -> None:
    """Say what was written."""
    for path in paths:
        print(path)


@contextmanager
def progress_bar() -> Iterator[OverallReport]:
    """Yield what draws a bar on a terminal and nothing elsewhere."""
    from tqdm import tqdm

    with tqdm(
        total=100,
        disable=None,
        leave=False,
        bar_format="{desc:<12}{percentage:3.0f}% |{bar}| {elapsed}",
    ) as bar:

        def report(stage: Stage, overall_fraction: float) -> None:
            bar.set_description_str(stage, refresh=False)
            bar.update(max(0.0, 100 * overall_fraction - bar.n))

        yield report


def portion(report: OverallReport, start: float, stop: float) -> OverallReport:
    """Return what reports a part of the work as a stretch of the whole."""
    return lambda stage, fraction: report(stage, start + (stop - start) * fraction)
