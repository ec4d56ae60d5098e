"""From measured stage times to the seconds of replicas."""

from __future__ import annotations

import pytest

from deploy.planning.demand import KINDS, Recording
from deploy.planning.work import (
    ANALYSIS,
    APART,
    DECODING,
    DEVICE,
    ONE_PROCESS,
    TRANSFER,
    WRITING,
    Gpu,
    StageTimes,
    Transfer,
    build_job,
)
from inference_service.progress import Stage

TIMES = StageTimes(
    {
        "recordings": [
            {
                "sample": "song",
                "length_s": length_s,
                "kept_bytes": 1_000 + 100 * length_s,
                "cpu_s": {
                    "decode": 0.5 + 0.01 * length_s,
                    "routing": 0.1 * min(length_s, 24.0),
                    "separation": 0.2 * length_s,
                    "chords": 1.0,
                    "engraving": 0.5,
                },
            }
            for length_s in (10.0, 20.0, 100.0)
        ]
    }
)
SONG = next(kind for kind in KINDS if kind.name == "song")


def test_lines_go_through_what_was_measured() -> None:
    seconds = TIMES.seconds("song", 200.0)
    assert seconds == pytest.approx(
        {
            Stage.DECODE: 2.5,
            Stage.ROUTING: 2.4,  # of a part of the recording
            Stage.SEPARATION: 40.0,
            Stage.CHORDS: 1.0,
            Stage.ENGRAVING: 0.5,
        }
    )
    assert TIMES.kept_bytes("song", 200.0) == pytest.approx(21_000)


def test_lines_that_would_be_negative_go_through_nothing() -> None:
    rows = [
        {"sample": "voice", "length_s": at, "kept_bytes": at, "cpu_s": {"beats": seconds}}
        for at, seconds in ((10.0, 0.5), (100.0, 10.0))
    ]
    seconds = StageTimes({"recordings": rows}).seconds("voice", 1.0)[Stage.BEATS]
    assert 0.05 < seconds < 0.1


def test_one_process_hears_in_one_thread() -> None:
    job = build_job(Recording(3.0, SONG, 100.0), TIMES, ONE_PROCESS)
    assert job.arrival_s == 3.0
    assert dict(job.work_s) == pytest.approx({DECODING: 1.5, DEVICE: 23.4, WRITING: 0.5})


def test_stages_apart_follow_the_recording() -> None:
    job = build_job(Recording(0.0, SONG, 100.0), TIMES, APART, transfer=Transfer(1.0, 1e6))
    assert [pool for pool, _ in job.work_s] == [TRANSFER, DECODING, DEVICE, ANALYSIS, WRITING]
    assert dict(job.work_s)[TRANSFER] == pytest.approx(1.0 + 100.0 * SONG.bytes_per_s / 1e6)


def test_a_gpu_is_faster_at_what_it_runs() -> None:
    gpu = Gpu(separation_speed=50.0, speedup=10.0, launch_s=0.2)
    assert TIMES.seconds("song", 100.0, gpu) == pytest.approx(
        {
            Stage.DECODE: 1.5,
            Stage.ROUTING: 0.2 + 0.24,
            Stage.SEPARATION: 0.2 + 2.0,
            Stage.CHORDS: 1.0,
            Stage.ENGRAVING: 0.5,
        }
    )


def test_the_projects_own_measurements_are_of_every_kind() -> None:
    times = StageTimes.load()
    for kind in KINDS:
        short, long = (times.seconds(kind.name, length_s) for length_s in (10.0, 120.0))
        assert short.keys() <= set(APART)
        assert 0.0 < sum(short.values()) < sum(long.values())
        assert times.kept_bytes(kind.name, 60.0) > 10_000
    assert Stage.SEPARATION in times.seconds("song", 60.0)
