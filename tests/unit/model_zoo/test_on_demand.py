"""Models on demand, from a local server to a stage that hears: fetched, verified, loaded, checked.

The checkpoints have the published layout, and random parameters of small networks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inference_service.assembly import build_catalog, build_loader
from inference_service.engine.catalog import ModelEntry, PublishedFile
from inference_service.engine.selfcheck import check_component
from inference_service.errors import ModelFetchFailed
from inference_service.pipeline.stages import Task
from inference_service.settings import ModelSettings
from model_zoo.fetch import fetch_model
from tests.unit.harmony.key_checkpoints import build_s_key
from tests.unit.model_zoo.server import Server, serve_weights
from tests.unit.rhythm.from_sound.checkpoints import build_beat_this
from tests.unit.separation.checkpoints import build_band_roformer
from tests.unit.tagger.muscriptor_checkpoints import build_muscriptor

CHECKPOINTS: dict[str, Callable[[], bytes]] = {
    "beat-this": build_beat_this,
    "beat-this-small": build_beat_this,
    "mel-band-roformer": build_band_roformer,
    "muscriptor-small": build_muscriptor,
    "muscriptor-medium": build_muscriptor,
    "muscriptor-large": build_muscriptor,
    "s-key": build_s_key,
}


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of weights."""
    yield from serve_weights()


def publish(server: Server, entry: ModelEntry, content: bytes) -> ModelEntry:
    """Return the model with its file on the server, under the published name."""
    server.content = content
    (file,) = entry.published
    url = server.url.replace("w.bin", file.name)
    digest = hashlib.sha256(content).hexdigest()
    there = PublishedFile(url=url, sha256=digest, size_bytes=len(content))
    return entry.model_copy(update={"files": (there,)})


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_fetched_model_hears(server: Server, tmp_path: Path, name: str) -> None:
    entry = publish(server, build_catalog("cpu").named(name), CHECKPOINTS[name]())
    settings = ModelSettings(weights=tmp_path)
    server.cut_after, server.cuts = len(server.content) // 2, 1
    fetch_model(entry, tmp_path, token="ours")
    assert entry.is_fetched(tmp_path)
    for task in entry.tasks:
        check_component(task, build_loader(settings)(task, entry))
    (path,) = entry.paths(tmp_path)
    path.write_bytes(bytes(len(server.content)))
    with pytest.raises(ModelFetchFailed, match="not used"):
        build_loader(settings)(Task(entry.tasks[0]), entry)
