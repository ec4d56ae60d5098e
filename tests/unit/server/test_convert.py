"""Protobuf messages to domain values and back."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notabot.v1 import transcription_pb2

from inference_service import errors
from inference_service.continuation.options import ContinuationOptions, Style
from inference_service.errors import NotabotError
from inference_service.notation.page import Paper
from inference_service.notation.views import View
from inference_service.pipeline.options import (
    DEFAULT_CONTINUATION_FORMATS,
    ContinueOptions,
    Format,
    Preset,
    RenderOptions,
    TranscribeOptions,
)
from inference_service.pipeline.render import Artifact
from inference_service.progress import Stage
from inference_service.server.convert import (
    CHUNK_BYTES,
    decode_continue_options,
    decode_transcribe_options,
    encode_artifact,
    encode_continue_request,
    encode_transcribe_options,
)
from inference_service.server.convert.errors import decode_error, encode_error

OPTIONS = st.builds(
    TranscribeOptions,
    st.sampled_from(list(Preset)),
    st.builds(
        RenderOptions,
        st.sampled_from(list(View)),
        st.integers(-24, 24),
        st.frozensets(st.sampled_from(list(Format)), min_size=1),
        st.from_regex(r"([\w-]+( [\w-]+)*)?", fullmatch=True).filter(lambda text: len(text) <= 200),
        st.booleans(),
        st.sampled_from(list(Paper)),
    ),
)


@pytest.mark.parametrize(
    ("ours", "theirs", "prefix"),
    [
        (Preset, transcription_pb2.Preset, "PRESET_"),
        (View, transcription_pb2.View, "VIEW_"),
        (Paper, transcription_pb2.Paper, "PAPER_"),
        (Format, transcription_pb2.Format, "FORMAT_"),
        (Style, transcription_pb2.Style, "STYLE_"),
        (Stage, transcription_pb2.Stage, "STAGE_"),
    ],
)
def test_enumerations_have_the_members_of_the_contract(
    ours: type[StrEnum], theirs: Any, prefix: str
) -> None:
    names = {name.removeprefix(prefix) for name in theirs.keys()} - {"UNSPECIFIED"}  # noqa: SIM118
    assert set(ours.__members__) == names


@given(OPTIONS)
def test_options_survive_the_way_there(options: TranscribeOptions) -> None:
    assert decode_transcribe_options(encode_transcribe_options(options)) == options


@given(
    st.builds(
        ContinueOptions,
        st.builds(
            ContinuationOptions,
            st.integers(1, 64),
            st.sampled_from(list(Style)),
            st.integers(0, 2**31 - 1),
            st.floats(-1, 1, width=32),
            st.integers(0, 64),
            st.integers(0, 4),
        ),
        st.builds(
            RenderOptions,
            st.sampled_from(list(View)),
            st.integers(-24, 24),
            st.frozensets(st.sampled_from(list(DEFAULT_CONTINUATION_FORMATS)), min_size=1),
        ),
    )
)
def test_options_of_a_continuation_survive_the_way_there(options: ContinueOptions) -> None:
    request = encode_continue_request("id", options)
    assert request.result_id == "id"
    assert decode_continue_options(request) == options


def test_what_a_continuation_is_by_default() -> None:
    least = transcription_pb2.ContinueRequest(result_id="id")
    assert decode_continue_options(least) == ContinueOptions()


@pytest.mark.parametrize(
    ("option", "wrong"),
    [
        ("measures", {"measures": 65}),
        ("style", {"style": 9}),
        ("seed", {"seed": 2**31}),
        ("boldness", {"boldness": 1.5}),
        ("boldness", {"boldness": math.nan}),
        ("context_measures", {"context_measures": 65}),
        ("alternatives", {"alternatives": 5}),
        ("formats", {"render": {"formats": [transcription_pb2.FORMAT_JSON]}}),
        ("formats", {"render": {"formats": [99]}}),
        ("transpose", {"render": {"transpose_semitones": 25}}),
    ],
)
def test_a_continuation_out_of_range_is_refused(option: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidOptions) as raised:
        decode_continue_options(transcription_pb2.ContinueRequest(**wrong))
    assert raised.value.params["option"] == option


@pytest.mark.parametrize(
    "error",
    [
        errors.AudioTooLong("too long", limit_s=900.0),
        errors.AudioTooLarge("too large", limit_bytes=10, size_bytes=11),
        errors.QueueFull("full", retry_after_s=12.5),
        errors.ModelUnknown("unknown", task="song", model="x"),
        errors.Internal("broken"),
    ],
)
def test_errors_survive_the_way_back(error: NotabotError) -> None:
    again = decode_error(encode_error(error))
    assert type(again) is type(error)
    assert again is not None
    assert (again.cause, again.params) == (error.cause, error.params)


def test_foreign_details_are_no_error_of_ours() -> None:
    status = encode_error(errors.AudioSilent("silent"))
    del status.details[:]
    assert decode_error(status) is None


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
