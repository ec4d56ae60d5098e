"""The bot's own words of the contract are those of ``proto/notabot/v1``."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import Any

import pytest
from notabot.v1 import errors_pb2
from notabot.v1 import jobs_pb2 as jpb
from notabot.v1 import models_pb2 as mpb
from notabot.v1 import transcription_pb2 as pb

from bot.client import conversion, types
from bot.client.edit_conversion import encode_edit, list_fields
from bot.client.edits import EditKind, ScoreEdit, Spelling
from bot.client.types import (
    Adjustments,
    BarMove,
    BarRange,
    BarShift,
    BarUnit,
    Clef,
    ContinueOptions,
    Correctable,
    Corrections,
    Feel,
    FinestValue,
    Format,
    JobState,
    Key,
    LocalShift,
    ModelState,
    NamedKey,
    Paper,
    PartCorrection,
    Pitches,
    Preset,
    Progress,
    RenderOptions,
    Stage,
    Triplets,
    View,
)
from bot.errors import BotErrorCode, ServiceError, ServiceErrorCode

ENUMERATIONS = [
    (Preset, pb.Preset, "PRESET_"),
    (View, pb.View, "VIEW_"),
    (Paper, pb.Paper, "PAPER_"),
    (Pitches, pb.Pitches, "PITCHES_"),
    (FinestValue, pb.FinestValue, "FINEST_VALUE_"),
    (Triplets, pb.Triplets, "TRIPLETS_"),
    (Feel, pb.Feel, "FEEL_"),
    (Clef, pb.Clef, "CLEF_"),
    (BarUnit, pb.BarUnit, "BAR_UNIT_"),
    (Correctable, pb.Correctable, "CORRECTABLE_"),
    (Spelling, pb.Spelling, "SPELLING_"),
    (Format, pb.Format, "FORMAT_"),
    (Stage, pb.Stage, "STAGE_"),
    (ModelState, mpb.ModelState, "MODEL_STATE_"),
    (JobState, jpb.JobState, "JOB_STATE_"),
]
EDITED: dict[str, Any] = {
    "note": "vocals:3", "steps": -2, "semitones": 1, "pitch": 61, "spelling": Spelling.LOWERED,
    "quarters": 1.5, "part": "piano", "time_s": 3.25, "staff": 2, "text": "F♯m", "label": "F#:min",
}  # fmt: skip
CORRECTIONS = Corrections(
    time_signature="3/4",
    beat_scale=2.0,
    first_beat=1.5,
    key=Key("Eb", "minor"),
    finest_value=FinestValue.EIGHTH,
    triplets=Triplets.NOT_ALLOWED,
    feel=Feel.SWING,
    parts=(
        PartCorrection("piano", left_out=False, name="Keys", program=0, clef=Clef.TENOR),
        PartCorrection("drums", left_out=True),
    ),
    bars=BarRange(2, 9),
    tempo_bpm=90.0,
    as_heard=tuple(Correctable),
    edits=tuple(
        ScoreEdit(
            kind,
            **{name: EDITED[name] for name in list_fields(kind)},
        )
        for kind in EditKind
    ),
    bar_moves=(BarMove(9.0, 1.0), BarMove(33.5, -0.5)),
)

ADJUSTMENTS = Adjustments(
    0.5,
    BarShift(-2, BarUnit.EIGHTH),
    NamedKey("D", "minor"),
    (LocalShift(9, BarShift(1, BarUnit.HALF_BEAT)),),
)

NOT_ASKED = {"style", "context_measures", "alternatives"}
"""Options of a continuation that the bot leaves to the service."""

VALUES = [
    (types.Key, pb.Key),
    (types.Part, pb.Part),
    (types.Alternative, pb.Alternative),
    (types.Offer, pb.Offer),
    (types.Beat, pb.Beat),
    (types.ChordSegment, pb.ChordSegment),
    (types.Queued, pb.Queued),
    (types.Accepted, pb.Accepted),
    (types.JobContext, pb.JobContext),
    (types.OpenJob, jpb.OpenJob),
    (types.Model, mpb.Model),
    (types.ServiceStatus, mpb.StatusResponse),
]


@pytest.mark.parametrize(("ours", "theirs", "prefix"), ENUMERATIONS)
def test_enumerations_have_the_members_of_the_contract(
    ours: type[StrEnum], theirs: Any, prefix: str
) -> None:
    names = {name.removeprefix(prefix) for name in theirs.keys()} - {"UNSPECIFIED"}  # noqa: SIM118
    assert set(ours.__members__) - {"UNKNOWN"} == names
    assert all(member.value == name.lower() for name, member in ours.__members__.items())


def test_every_member_of_the_options_is_sent() -> None:
    for view in View:
        sent = conversion.encode_render_options(RenderOptions(view))
        assert pb.View.Name(sent.view) == f"VIEW_{view.name}"
    for paper in Paper:
        sent = conversion.encode_render_options(RenderOptions(paper=paper))
        assert pb.Paper.Name(sent.paper) == f"PAPER_{paper.name}"
    for pitches in Pitches:
        sent = conversion.encode_render_options(RenderOptions(pitches=pitches))
        assert pb.Pitches.Name(sent.pitches) == f"PITCHES_{pitches.name}"
    for preset in Preset:
        asked = conversion.encode_transcribe_options(preset, RenderOptions())
        assert pb.Preset.Name(asked.preset) == f"PRESET_{preset.name}"
    sent = conversion.encode_render_options(RenderOptions(formats=tuple(Format)))
    assert [pb.Format.Name(number) for number in sent.formats] == [
        f"FORMAT_{wanted.name}" for wanted in Format
    ]


def test_every_stage_is_understood_and_an_unknown_one_is_none() -> None:
    def stage(number: int) -> Stage | None:
        message = pb.TranscribeEvent(progress=pb.StageProgress(stage=number))  # type: ignore[arg-type]
        event = conversion.EventDecoder().decode(message)
        assert isinstance(event, Progress)
        return event.stage

    assert {stage(number) for name, number in pb.Stage.items() if number} == set(Stage)
    assert stage(0) is None
    assert stage(9999) is None


def test_where_bar_lines_may_have_slipped_is_understood() -> None:
    shift = pb.BarShift(count=-1, unit=pb.BAR_UNIT_EIGHTH)
    offer = pb.LocalOffer(shift=pb.LocalShift(from_bar=9, shift=shift), weight=0.4)
    result = conversion.decode_result(pb.Result(local_offers=[offer]))
    assert result.local_offers == (LocalShift(9, BarShift(-1, BarUnit.EIGHTH)),)


def test_values_of_a_newer_service_are_the_usual_ones() -> None:
    render = pb.RenderOptions(view=99, pitches=99)  # type: ignore[arg-type]
    result = conversion.decode_result(pb.Result(preset=99, render=render))  # type: ignore[arg-type]
    assert (result.preset, result.view) == (Preset.AUTO, View.FULL)
    assert result.pitches is Pitches.MEANT
    assert conversion.decode_model(mpb.Model(state=99)).state is ModelState.UNKNOWN  # type: ignore[arg-type]


def _fields(kind: type) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def test_options_have_the_fields_of_the_contract() -> None:
    assert _fields(RenderOptions) == set(pb.RenderOptions.DESCRIPTOR.fields_by_name)
    continuing = set(pb.ContinueRequest.DESCRIPTOR.fields_by_name)
    assert _fields(ContinueOptions) | {"result_id"} == continuing - NOT_ASKED


def test_every_option_is_sent() -> None:
    options = RenderOptions(
        View.PIANO,
        -3,
        (Format.PNG,),
        "Lied",
        True,
        Paper.LETTER,
        Pitches.SUNG,
        page=3,
        choose_view=True,
        corrections=CORRECTIONS,
        language="ru",
        adjustments=ADJUSTMENTS,
        transpose_to=NamedKey("Eb", "major"),
    )
    sent = conversion.encode_render_options(options)
    assert {field.name for field, _ in sent.ListFields()} == _fields(RenderOptions)
    asked = conversion.encode_continue_request("id", ContinueOptions(12, 3, 0.5, options))
    assert {field.name for field, _ in asked.ListFields()} == _fields(ContinueOptions) | {
        "result_id"
    }


def test_corrections_have_the_fields_of_the_contract() -> None:
    for ours, theirs in (
        (Corrections, pb.Corrections),
        (PartCorrection, pb.PartCorrection),
        (BarRange, pb.BarRange),
        (BarMove, pb.BarMove),
    ):
        assert _fields(ours) == set(theirs.DESCRIPTOR.fields_by_name)
    assert {f.name for f, _ in conversion.encode_corrections(CORRECTIONS).ListFields()} == _fields(
        Corrections
    )


def test_adjustments_have_the_fields_of_the_contract() -> None:
    for ours, theirs in (
        (Adjustments, pb.Adjustments),
        (BarShift, pb.BarShift),
        (NamedKey, pb.NamedKey),
    ):
        assert _fields(ours) == set(theirs.DESCRIPTOR.fields_by_name)
    sent = conversion.encode_render_options(RenderOptions(adjustments=ADJUSTMENTS)).adjustments
    assert {field.name for field, _ in sent.ListFields()} == _fields(Adjustments)
    assert pb.BarUnit.Name(sent.bar_shift.unit) == "BAR_UNIT_EIGHTH"
    left_open = conversion.encode_render_options(RenderOptions(transpose_to=NamedKey("C")))
    assert not left_open.transpose_to.HasField("mode")


def test_edits_have_the_kinds_and_fields_of_the_contract() -> None:
    kinds = pb.ScoreEdit.DESCRIPTOR.oneofs_by_name["edit"].fields
    assert [field.name for field in kinds] == list(EditKind)
    for field in kinds:
        assert field.message_type is not None
        assert set(field.message_type.fields_by_name) == set(list_fields(EditKind(field.name)))
    assert set(EDITED) == _fields(ScoreEdit) - {"kind"}


@pytest.mark.parametrize(
    "edit",
    [
        ScoreEdit(EditKind.PITCH, "vocals:0", pitch=-1),
        ScoreEdit(EditKind.MOVE, "vocals:0", steps=2**40),
        ScoreEdit(EditKind.DELETE, "\ud800"),
    ],
)
def test_edits_that_no_message_holds_are_refused_as_by_the_service(edit: ScoreEdit) -> None:
    with pytest.raises(ServiceError) as raised:
        encode_edit(edit)
    assert (raised.value.code, raised.value.params) == (
        "INVALID_CORRECTIONS",
        {"correction": "edits"},
    )


def test_corrections_come_back_in_the_result() -> None:
    sent = conversion.encode_corrections(CORRECTIONS)
    received = conversion.decode_result(pb.Result(corrections=sent)).corrections
    assert received == dataclasses.replace(CORRECTIONS, as_heard=())
    assert conversion.decode_result(pb.Result()).corrections == Corrections()


@pytest.mark.parametrize(("ours", "theirs"), VALUES)
def test_values_have_fields_of_the_contract(ours: type, theirs: Any) -> None:
    assert _fields(ours) <= set(theirs.DESCRIPTOR.fields_by_name)


def test_error_codes_are_the_service_s_or_the_bot_s_own() -> None:
    codes = set(errors_pb2.ErrorCode.keys())
    assert set(ServiceErrorCode) <= codes
    assert not set(BotErrorCode) & codes
