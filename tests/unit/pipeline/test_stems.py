"""Stems in the cache, and the MP3 files made from them."""

from __future__ import annotations

import numpy as np
import pytest

from inference_service.audio.decode import AudioLimits, decode
from inference_service.audio.waveform import Waveform
from inference_service.errors import Cancelled, StemsUnavailable
from inference_service.pipeline.options import Format, RenderOptions
from inference_service.pipeline.render import render
from inference_service.pipeline.stems import RECORDING, complete, export, keep, keep_recording
from inference_service.progress import ignore
from tests.factories import build_tone
from tests.service.running import build_transcription

RATE_HZ = 44100


def _stem(f_hz: float) -> Waveform:
    return Waveform(build_tone(f_hz, 1.5, amplitude=0.2)[None], RATE_HZ)


TWO = {"vocals": _stem(440.0), "accompaniment": _stem(220.0)}
FOUR = {"drums": _stem(150.0), "bass": _stem(100.0), "other": _stem(300.0), "vocals": _stem(440.0)}


def test_the_accompaniment_is_all_but_the_vocals() -> None:
    stems = complete(FOUR)
    assert list(stems) == ["vocals", "accompaniment", "drums", "bass", "other"]
    expected = sum(FOUR[name].samples for name in ("drums", "bass", "other"))
    np.testing.assert_allclose(stems["accompaniment"].samples, expected, atol=1e-6)
    assert list(complete(TWO)) == ["vocals", "accompaniment"]
    one = {"vocals": TWO["vocals"], "other": _stem(220.0)}
    assert list(complete(one)) == ["vocals", "accompaniment"], "the only other is all others"


def test_a_person_gets_karaoke_first() -> None:
    kept = keep(FOUR, ignore)
    files = dict(export(kept, ignore))
    assert list(files) == ["karaoke.mp3", "a-cappella.mp3", "drums.mp3", "bass.mp3", "other.mp3"]
    heard = decode(files["a-cappella.mp3"], AudioLimits(), ignore)
    spectrum = np.abs(np.fft.rfft(heard.samples[0, :RATE_HZ]))
    assert spectrum.argmax() == 440


def test_stems_are_files_of_a_rendering() -> None:
    options = RenderOptions(formats=frozenset({Format.STEMS}))
    rendering = render(build_transcription(), options, _nobody, sounds=keep(TWO, ignore))
    files = rendering.artifacts
    assert [file.name for file in files] == ["karaoke.mp3", "a-cappella.mp3"]
    assert {file.media_type for file in files} == {"audio/mpeg"}


def test_without_stems_it_says_so() -> None:
    options = RenderOptions(formats=frozenset({Format.STEMS}))
    for sounds in ({}, {RECORDING: b"the recording is no stem"}):
        with pytest.raises(StemsUnavailable, match="not separated"):
            render(build_transcription(), options, _nobody, sounds=sounds)


def test_a_recording_is_kept_but_is_no_stem() -> None:
    recording = keep_recording(_stem(440.0), ignore)
    assert list(recording) == ["recording"]
    heard = decode(recording["recording"], AudioLimits(), ignore)
    assert len(heard.samples) == 1
    assert heard.duration_s == pytest.approx(1.5, abs=0.02)
    kept = {**recording, **keep(TWO, ignore)}
    assert [name for name, _ in export(kept, ignore)] == ["karaoke.mp3", "a-cappella.mp3"]


def test_a_recording_takes_the_bytes_of_its_bit_rate() -> None:
    generator = np.random.default_rng(0)
    noise = generator.normal(0.0, 0.1, (2, 20 * RATE_HZ)).astype(np.float32)
    stereo, mono = (
        len(keep_recording(Waveform(samples, RATE_HZ), ignore)["recording"])
        for samples in (noise, noise[:1])
    )
    assert stereo == pytest.approx(20 * 96_000 / 8, rel=0.25)
    assert mono == pytest.approx(20 * 48_000 / 8, rel=0.25)


def test_cancelling_stops_the_files() -> None:
    def cancel(fraction: float) -> None:
        if fraction > 0.4:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        list(export(keep(TWO, ignore), cancel))


def _nobody(stage: object, fraction: float) -> None:
    """Ignore progress."""
