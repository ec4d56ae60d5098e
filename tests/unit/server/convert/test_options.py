"""Options of requests, written and read."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notabot.v1 import transcription_pb2

from inference_service import errors
from inference_service.continuation.options import (
    MAX_ALTERNATIVES,
    MAX_MEASURES,
    MAX_SEED,
    MAX_TOTAL_MEASURES,
    ContinuationOptions,
    Style,
)
from inference_service.music.adjustments import (
    Adjustments,
    BarShift,
    BarUnit,
    LocalShift,
    NamedKey,
)
from inference_service.notation.names import Language
from inference_service.notation.page import Paper
from inference_service.notation.views import View
from inference_service.pipeline.options import (
    DEFAULT_CONTINUATION_FORMATS,
    ContinueOptions,
    Format,
    Pitches,
    Preset,
    RenderOptions,
    TranscribeOptions,
)
from inference_service.server.convert.options import (
    decode_continue_options,
    decode_transcribe_options,
    encode_continue_request,
    encode_transcribe_options,
)

KEYS = st.builds(NamedKey, st.sampled_from(["F#", "B"]), st.sampled_from([None, "major", "minor"]))
SHIFTS = st.builds(BarShift, st.integers(-99, 99), st.sampled_from(list(BarUnit)))
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
        st.sampled_from(list(Pitches)),
        st.integers(0, 2**32 - 1),
        st.booleans(),
        language=st.sampled_from(list(Language)),
        adjustments=st.builds(
            Adjustments,
            st.sampled_from([None, 0.5, 2.0]),
            st.none() | SHIFTS,
            st.none() | KEYS,
            st.lists(st.builds(LocalShift, st.integers(1, 999), SHIFTS), max_size=3).map(tuple),
        ),
        transpose_to=st.none() | KEYS,
    ),
)


@given(OPTIONS)
def test_options_survive_the_way_there(options: TranscribeOptions) -> None:
    assert decode_transcribe_options(encode_transcribe_options(options)) == options


# As many measures as their alternatives leave room for.
LENGTHS = st.integers(0, MAX_ALTERNATIVES).flatmap(
    lambda alternatives: st.tuples(
        st.integers(1, min(MAX_MEASURES, MAX_TOTAL_MEASURES // (alternatives + 1))),
        st.just(alternatives),
    )
)
CONTINUATIONS = st.builds(
    lambda lengths, style, seed, boldness, context: ContinuationOptions(
        lengths[0], style, seed, boldness, context, lengths[1]
    ),
    LENGTHS,
    st.sampled_from(list(Style)),
    st.integers(0, MAX_SEED),
    st.floats(-1, 1, width=32),
    st.integers(0, MAX_MEASURES),
)


@given(
    st.builds(
        ContinueOptions,
        CONTINUATIONS,
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
        ("pitches", {"render": {"pitches": 9}}),
    ],
)
def test_a_continuation_out_of_range_is_refused(option: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidOptions) as raised:
        decode_continue_options(transcription_pb2.ContinueRequest(**wrong))
    assert raised.value.params["option"] == option
