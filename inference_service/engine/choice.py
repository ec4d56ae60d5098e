"""The choice of a model for each task, among those that a profile allows.

A profile may name several models for a task, the preferred one first; the last of them needs no
download. If the weights of a preferred model are missing, they are fetched; if that fails, the next
model is used. A model that the settings name has no substitute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inference_service.engine.catalog import ModelEntry
from inference_service.errors import ModelFetchFailed, ModelNotFetched
from inference_service.pipeline.stages import Task

INCOMPLETE: Final = "the installation is incomplete"
"""Cause if files are missing that are installed, not fetched."""

Fetch = Callable[[ModelEntry], None]
"""Fetches a model's files; raises ``ModelFetchFailed`` if it cannot."""


@dataclass(frozen=True, slots=True)
class Substitution:
    """A model that is used because the preferred one is missing or broken."""

    task: Task
    preferred: ModelEntry
    used: ModelEntry
    cause: str

    def __str__(self) -> str:
        """One line for the operator."""
        return (
            f"{self.task} is done by {self.used.name}, without {self.preferred.name}: {self.cause}"
        )


def choose(
    candidates: Mapping[Task, tuple[ModelEntry, ...]], weights: Path, fetch: Fetch
) -> tuple[dict[Task, ModelEntry], tuple[Substitution, ...]]:
    """Return the model of each task, and the substitutions made.

    Parameters
    ----------
    candidates : mapping of Task to tuple of ModelEntry
        One model or more for each task, the preferred one first.
    weights : Path
        Folder of the fetched weights.
    fetch : Fetch
        Called for each preferred model that is not on this machine. The last candidate of a task is
        never fetched, and is chosen even if its files are missing: see :func:`require_fetched`.
    """
    choice: dict[Task, ModelEntry] = {}
    substitutions: list[Substitution] = []
    for task, (*preferred, last) in candidates.items():
        causes: list[tuple[ModelEntry, str]] = []
        for entry in preferred:
            if (cause := _obtain(entry, weights, fetch)) is None:
                choice[task] = entry
                break
            causes.append((entry, cause))
        else:
            choice[task] = last
        substitutions += [Substitution(task, entry, choice[task], cause) for entry, cause in causes]
    return choice, tuple(substitutions)


def _obtain(entry: ModelEntry, weights: Path, fetch: Fetch) -> str | None:
    """Fetch a model unless it is on this machine. Returns the cause of a failure, or None."""
    if entry.is_fetched(weights):
        return None
    if not entry.published:
        return INCOMPLETE
    try:
        fetch(entry)
    except ModelFetchFailed as error:
        return error.cause
    except OSError as error:  # such as a folder without write permission
        return error.strerror or type(error).__name__
    return None


def require_fetched(task: Task, entry: ModelEntry, weights: Path) -> None:
    """Raise if a model's files are not on this machine.

    Raises
    ------
    ModelNotFetched
        Its cause says how to get them.
    """
    if not entry.is_fetched(weights):
        remedy = f"`notabot models fetch {entry.name}` gets them" if entry.published else INCOMPLETE
        raise ModelNotFetched(
            f"the weights of {entry.name} are not on this machine; {remedy}",
            task=task,
            model=entry.name,
        )
