"""The piano tagger: it loads, hears a piano, and stops."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from inference_service.audio.waveform import Waveform
from inference_service.errors import Cancelled
from inference_service.progress import ignore
from inference_service.tagger.transkun.tagger import TranskunTagger


@pytest.mark.data
def test_hears_a_piano(data_dir: Path) -> None:
    path = data_dir / "piano_dev" / "MAPS_MUS-chpn_op25_e3_SptkBGAm.flac"
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    waveform = Waveform(np.ascontiguousarray(samples[: 5 * rate_hz].T), rate_hz)
    truth = np.loadtxt(path.with_suffix(".tsv"), skiprows=1)
    sounding = {(round(row[0], 1), int(row[2])) for row in truth if row[0] < 4.5}
    fractions: list[float] = []
    notes = TranskunTagger().tag(waveform, 0.0, fractions.append)
    near = {(round(n.onset_s + shift, 1), n.pitch) for n in notes for shift in (-0.1, 0.0, 0.1)}
    assert len(sounding & near) >= 0.9 * len(sounding)
    assert notes == sorted(notes)
    assert all(0.0 <= note.onset_s < note.offset_s <= waveform.duration_s for note in notes)
    assert fractions == sorted(fractions)
    assert len(fractions) > 5
    assert fractions[-1] == 1.0


def test_silence_gives_no_notes() -> None:
    silence = Waveform(np.zeros((1, 44100), np.float32), 44100)
    assert TranskunTagger(segment_s=2.0, hop_s=1.5).tag(silence, 0.0, ignore) == []


def test_stops_at_once_when_cancelled() -> None:
    tagger = TranskunTagger(segment_s=2.0, hop_s=1.5)

    def cancel(fraction: float) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        tagger.tag(Waveform(np.zeros((2, 44100 * 60), np.float32), 44100), 0.0, cancel)
    assert tagger._hearing.report is ignore


def test_threads_report_their_own_recordings() -> None:
    tagger = TranskunTagger(segment_s=2.0, hop_s=1.5)
    random = np.random.default_rng(0)
    long = Waveform(0.1 * random.standard_normal((1, 2 * 44100)).astype(np.float32), 44100)
    expected = tagger.tag(long, 0.0, ignore)
    inside = threading.Event()
    fractions: list[float] = []

    def note(fraction: float) -> None:
        inside.set()
        fractions.append(fraction)

    def cancel(fraction: float) -> None:
        raise Cancelled("enough")

    with ThreadPoolExecutor(1) as threads:
        hearing = threads.submit(tagger.tag, long, 0.0, note)
        assert inside.wait(20.0)
        with pytest.raises(Cancelled):
            tagger.tag(long, 0.0, cancel)
        assert hearing.result(60.0) == expected
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
