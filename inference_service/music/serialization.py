"""Write and read ``result.json``, the canonical result."""

from __future__ import annotations

from pydantic import TypeAdapter

from inference_service.music.events import Transcription

_ADAPTER = TypeAdapter(Transcription)


def encode_transcription(transcription: Transcription) -> bytes:
    """Return a transcription as UTF-8 JSON in schema ``notabot.transcription/1``."""
    return _ADAPTER.dump_json(transcription, indent=1)


def decode_transcription(data: bytes) -> Transcription:
    """Parse the output of :func:`encode_transcription`.

    Raises
    ------
    pydantic.ValidationError
        If the JSON does not follow the schema.
    """
    return _ADAPTER.validate_json(data)
