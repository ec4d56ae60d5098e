"""Files read and written, and progress shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from inference_service.progress import Progress, Stage

if TYPE_CHECKING:
    from inference_service.engine.progress_meter import ProgressMeter

OverallReport: TypeAlias = Callable[[Stage, float], None]
"""Called with the stage and the fraction of the whole work."""


def read(path: Path, max_bytes: int) -> bytes:
    """Read a file, at most one byte over the limit: decoding then refuses it as too large."""
    with path.open("rb") as file:
        return file.read(max_bytes + 1)


def write_files(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write files atomically, all or none, and print their paths."""
    print_paths(save(folder, files))


def save(folder: Path, files: Iterable[tuple[str, bytes]]) -> list[Path]:
    """Write files atomically, all or none; an iterator is consumed one file at a time."""
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
    """Print the paths of the files that were written."""
    for path in paths:
        print(path)


@contextmanager
def progress_bar() -> Iterator[OverallReport]:
    """Yield a report that draws a bar on a terminal, and does nothing elsewhere."""
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
    """Return a report of a part of the work, from ``start`` to ``stop`` of the whole."""
    return lambda stage, fraction: report(stage, start + (stop - start) * fraction)


def metered(report: OverallReport, meter: ProgressMeter) -> Progress:
    """Return a report for stages, whose fractions the meter turns into the overall one."""
    return lambda stage, fraction: report(stage, meter.update(stage, fraction).overall_fraction)
