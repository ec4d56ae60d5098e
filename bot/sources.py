"""Audio in Telegram messages: finding it and checking limits.

Accepted are voice messages, music, videos, video notes, and documents of an audio or video type,
whether sent, forwarded or replied to. Size and duration are checked here if Telegram states them;
an unstated size is checked during the download (``bot/download.py``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from aiogram.types import Audio, Document, ExternalReplyInfo, Message, Video, VideoNote, Voice

from bot.errors import ServiceErrorCode, SourceError

MAX_TITLE_CHARS: Final = 120

AUDIO_EXTENSIONS: Final = frozenset(
    {
        *(".aac", ".aif", ".aiff", ".amr", ".ape", ".flac", ".m4a", ".m4b", ".mka", ".mp2", ".mp3"),
        *(".oga", ".ogg", ".opus", ".wav", ".weba", ".wma", ".wv"),
        *(".mkv", ".mov", ".mp4", ".webm"),
    }
)
"""Documents with these extensions are treated as audio, whatever their media type."""

_AUDIO_MEDIA_TYPES: Final = ("audio/", "video/", "application/ogg", "application/x-flac")
_NOT_AUDIO_MEDIA_TYPES: Final = ("audio/midi", "audio/x-midi", "audio/mid")


Media = Message | ExternalReplyInfo
"""A carrier of media: a message, or the part of one that a reply quotes from another chat."""


@dataclass(frozen=True, slots=True)
class AudioSource:
    """A file on Telegram's servers that should contain audio.

    ``title`` is empty if the file has neither tags nor a name; ``size_bytes`` and ``duration_s``
    are None if Telegram does not state them.
    """

    file_id: str
    title: str
    size_bytes: int | None
    duration_s: float | None


def find_source(message: Message) -> AudioSource | None:
    """The audio in a message itself, or None."""
    return _source(message)


def find_replied_source(message: Message) -> AudioSource | None:
    """The audio in the message that ``message`` replies to, in this chat or another, or None."""
    reply: Message | ExternalReplyInfo | None = message.reply_to_message or message.external_reply
    return None if reply is None else _source(reply)


def _source(media: Media) -> AudioSource | None:
    if media.voice is not None:
        return _from(media.voice, "")
    if media.audio is not None:
        tags = [tag for tag in (media.audio.performer, media.audio.title) if tag]
        return _from(media.audio, " – ".join(tags) or _stem(media.audio.file_name))
    if media.video_note is not None:
        return _from(media.video_note, "")
    if media.video is not None:
        return _from(media.video, _stem(media.video.file_name))
    if media.document is not None and _sounds(media.document):
        return _from(media.document, _stem(media.document.file_name))
    return None


def _from(file: Voice | Audio | Video | VideoNote | Document, title: str) -> AudioSource:
    return AudioSource(
        file_id=file.file_id,
        title=_clean(title),
        size_bytes=file.file_size,
        duration_s=None if isinstance(file, Document) else float(file.duration),
    )


def _sounds(document: Document) -> bool:
    media_type = (document.mime_type or "").lower()
    if media_type.startswith(_NOT_AUDIO_MEDIA_TYPES):
        return False
    extension = PurePath(document.file_name or "").suffix.lower()
    return media_type.startswith(_AUDIO_MEDIA_TYPES) or extension in AUDIO_EXTENSIONS


def _stem(file_name: str | None) -> str:
    return PurePath(file_name or "").stem.replace("_", " ")


def _clean(title: str) -> str:
    """Make a single line without control characters, short enough for a score's heading."""
    printable = "".join(char if char.isprintable() else " " for char in title)
    line = re.sub(r"\s+", " ", printable).strip()
    return line if len(line) <= MAX_TITLE_CHARS else line[: MAX_TITLE_CHARS - 1].rstrip() + "…"


def check_limits(source: AudioSource, *, max_bytes: int, max_duration_s: float) -> None:
    """Refuse a source that is empty, or whose stated size or duration is over the limit.

    Raises
    ------
    SourceError
        ``AUDIO_EMPTY``; ``AUDIO_TOO_LARGE`` or ``AUDIO_TOO_LONG``, with the limit and the size.
    """
    if source.size_bytes == 0:
        raise SourceError(ServiceErrorCode.AUDIO_EMPTY)
    if source.size_bytes is not None and source.size_bytes > max_bytes:
        raise SourceError(
            ServiceErrorCode.AUDIO_TOO_LARGE,
            {"limit_bytes": max_bytes, "size_bytes": source.size_bytes},
        )
    if source.duration_s is not None and source.duration_s > max_duration_s:
        raise SourceError(
            ServiceErrorCode.AUDIO_TOO_LONG,
            {"limit_s": max_duration_s, "duration_s": source.duration_s},
        )
