"""Events of a request."""

from __future__ import annotations

import pytest

from inference_service.pipeline.render import Artifact
from inference_service.server.convert.events import CHUNK_BYTES, encode_artifact


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 200_000])
def test_files_are_cut_and_joined(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    artifact = Artifact("a.bin", "application/octet-stream", data[:size])
    chunks = [event.artifact for event in encode_artifact(artifact)]
    assert b"".join(chunk.data for chunk in chunks) == artifact.data
    assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert [chunk.media_type for chunk in chunks] == [artifact.media_type] + [""] * (
        len(chunks) - 1
    )
    assert max(len(chunk.data) for chunk in chunks) <= CHUNK_BYTES
