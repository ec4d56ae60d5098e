"""Files inside messages: where a bot's file comes from, and how a ``Message`` describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.localchat.errors import bad_request
from bot.localchat.files import FileStore, StoredFile, Upload
from bot.localchat.images import ImageInfo, read_image_info
from bot.localchat.params import Params

PHOTO_LIMIT_BYTES = 10 * 1024 * 1024
PHOTO_LIMIT_PX = 10_000
PHOTO_LIMIT_RATIO = 20
MEDIA_KINDS = ("photo", "voice", "audio", "video", "video_note", "document")

# Details of each kind in a Message; numbers default to 0 in Telegram.
_NUMBERS = {
    "voice": ("duration",),
    "audio": ("duration",),
    "video": ("duration", "width", "height"),
    "video_note": ("duration", "length"),
}
_TEXTS = {"audio": ("performer", "title")}
_TYPED = frozenset({"voice", "audio", "video", "document"})
_NAMED = frozenset({"audio", "video", "document"})


def take_file(files: FileStore, params: Params, source: Any, kind: str) -> StoredFile:
    """Find the file that a bot sends.

    Parameters
    ----------
    files : FileStore
        Where files are kept.
    params : Params
        The request, with its attached files.
    source : object
        The parameter's value: a file id, ``attach://NAME``, or None if the file is attached under
        the name of its kind.
    kind : str
        One of ``MEDIA_KINDS``.

    Returns
    -------
    StoredFile
        The file, now in the store.

    Raises
    ------
    BotApiError
        400, for a missing, empty or oversized file, or one of another kind.
    """
    if isinstance(source, str) and source.startswith("attach://"):
        upload = params.uploads.get(source.removeprefix("attach://"))
    elif source:
        if str(source).startswith(("http://", "https://")):
            raise bad_request("failed to get HTTP URL content")
        file = files.get(str(source))
        if file.kind != kind:
            raise bad_request(f"can't use file of type {file.kind.title()} as {kind.title()}")
        return file
    else:
        upload = params.uploads.get(kind)
    if upload is None:
        raise bad_request(f"there is no {kind} in the request")
    if not upload.data:
        raise bad_request("file must be non-empty")
    if kind == "photo":
        check_photo(upload)
    return files.add(upload, kind)


def check_photo(upload: Upload) -> ImageInfo:
    """Check a picture against the limits of https://core.telegram.org/bots/api#sendphoto.

    Raises
    ------
    BotApiError
        400, with Telegram's description.
    """
    size_bytes = len(upload.data)
    if size_bytes > PHOTO_LIMIT_BYTES:
        raise bad_request(
            f"file of size {size_bytes} bytes is too big for a photo; "
            f"the maximum size is {PHOTO_LIMIT_BYTES} bytes"
        )
    image = read_image_info(upload.data)
    if image is None:
        raise bad_request("IMAGE_PROCESS_FAILED")
    long_px, short_px = (
        max(image.width_px, image.height_px),
        min(image.width_px, image.height_px),
    )
    if long_px + short_px > PHOTO_LIMIT_PX or long_px > PHOTO_LIMIT_RATIO * short_px:
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    return image


def describe_file(file: StoredFile, details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a ``Message`` that holds a file, such as ``{"voice": {...}}``.

    Parameters
    ----------
    file : StoredFile
        The file.
    details : mapping
        The sender's details: duration, width, height, length, performer, title.
    """
    described: dict[str, Any] = {
        "file_id": file.file_id,
        "file_unique_id": file.file_unique_id,
        "file_size": len(file.data),
    }
    if file.kind == "photo":
        image = read_image_info(file.data)
        if image is not None:
            described |= {"width": image.width_px, "height": image.height_px}
        return {"photo": [described]}
    for name in _NUMBERS.get(file.kind, ()):
        described[name] = _whole_number(details.get(name))
    for name in _TEXTS.get(file.kind, ()):
        if details.get(name):
            described[name] = str(details[name])[:64]
    if file.kind in _TYPED:
        described["mime_type"] = file.media_type
    if file.kind in _NAMED:
        described["file_name"] = file.file_name
    return {file.kind: described}


def _whole_number(value: Any) -> int:
    try:
        return max(0, min(round(float(value)), 10**6))
    except (TypeError, ValueError, OverflowError):
        return 0
