"""Flood control, pictures, keyboards, commands and the file budget."""

from __future__ import annotations

import io

import pytest

from bot.localchat.commands import CommandBook
from bot.localchat.errors import BotApiError
from bot.localchat.files import FileStore, Upload
from bot.localchat.flood import FloodLimit, TokenBuckets
from bot.localchat.images import ImageInfo, read_image_info
from bot.localchat.markup import check_reply_markup
from bot.localchat.media import check_photo
from tests.e2e.scripted_bot import build_png


class Clock:
    """A clock that tests set by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_flood_control_lets_bursts_pass_and_then_one_message_a_second() -> None:
    clock = Clock()
    flood = TokenBuckets(FloodLimit(rate_per_s=1.0, burst=3), clock)
    for _ in range(3):
        flood.admit(1)
    with pytest.raises(BotApiError) as caught:
        flood.admit(1)
    assert caught.value.to_json() == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 1",
        "parameters": {"retry_after": 1},
    }
    flood.admit(2)
    clock.now_s += 1.0
    flood.admit(1)
    with pytest.raises(BotApiError):
        flood.admit(1)


def test_flood_control_tells_an_album_how_long_to_wait() -> None:
    clock = Clock()
    flood = TokenBuckets(FloodLimit(rate_per_s=2.0, burst=4), clock)
    flood.admit(1, 4)
    with pytest.raises(BotApiError) as caught:
        flood.admit(1, 3)
    assert caught.value.retry_after_s == 2
    clock.now_s += 2.0
    flood.admit(1, 10)


def test_png_and_jpeg_headers() -> None:
    pillow = pytest.importorskip("PIL.Image")
    encoded = io.BytesIO()
    pillow.new("RGB", (37, 11)).save(encoded, "JPEG", progressive=True)
    assert read_image_info(encoded.getvalue()) == ImageInfo("image/jpeg", 37, 11)
    assert read_image_info(build_png(5, 70)) == ImageInfo("image/png", 5, 70)


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"x" * 99])
def test_what_is_no_picture_has_no_size(data: bytes) -> None:
    assert read_image_info(data) is None
    for length in range(0, 60):
        read_image_info(build_png(3, 3)[:length])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (build_png(1, 21), "PHOTO_INVALID_DIMENSIONS"),
        (build_png(9000, 1001), "PHOTO_INVALID_DIMENSIONS"),
        (b"no picture", "IMAGE_PROCESS_FAILED"),
        (build_png(2, 2) + bytes(10 * 1024 * 1024), "too big for a photo"),
    ],
)
def test_photos_beyond_the_limits_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BotApiError, match=reason):
        check_photo(Upload(data, "page.png", "image/png"))


def test_photos_at_the_limits_pass() -> None:
    assert check_photo(Upload(build_png(1, 20), "page.png", "image/png")).height_px == 20
    assert check_photo(Upload(build_png(9000, 1000), "page.png", "image/png")).width_px == 9000


def button(**fields: str) -> dict[str, object]:
    return {"inline_keyboard": [[{"text": "x", **fields}]]}


def test_callback_data_is_counted_in_bytes() -> None:
    assert check_reply_markup(button(callback_data="ы" * 32)) is not None
    with pytest.raises(BotApiError, match="BUTTON_DATA_INVALID"):
        check_reply_markup(button(callback_data="ы" * 32 + "x"))


@pytest.mark.parametrize(
    "markup",
    [
        button(),
        button(callback_data="a", url="https://example.org/"),
        {"inline_keyboard": [[{"text": " ", "callback_data": "a"}]]},
        {"inline_keyboard": "x"},
        {"inline_keyboard": [["x"]]},
        {"inline_keyboard": [[{"text": "x", "callback_data": "a"}] * 101]},
        {"keyboard": [[{"text": "x"}]]},
    ],
)
def test_other_keyboards_are_refused(markup: dict[str, object]) -> None:
    with pytest.raises(BotApiError) as caught:
        check_reply_markup(markup)
    assert caught.value.error_code == 400


@pytest.mark.parametrize("markup", [None, {}, {"inline_keyboard": []}, {"remove_keyboard": True}])
def test_no_keyboard(markup: dict[str, object] | None) -> None:
    assert check_reply_markup(markup) is None


def test_the_nearest_command_list_wins() -> None:
    book = CommandBook()

    def store(description: str, scope: dict[str, object] | None, language: str | None) -> None:
        book.set(scope, language, [{"command": "help", "description": description}])

    def seen(language: str = "ru") -> str:
        return book.visible(7, language)[0]["description"]

    assert book.visible(7, "ru") == []
    store("default", None, None)
    assert seen() == "default"
    store("default ru", None, "ru")
    assert seen() == "default ru"
    assert seen("en") == "default"
    store("private", {"type": "all_private_chats"}, None)
    assert seen() == "private"
    store("mine", {"type": "chat", "chat_id": 7}, None)
    assert seen() == "mine"
    assert book.visible(8, "ru")[0]["description"] == "private"
    book.set({"type": "chat", "chat_id": 7}, None, [])
    assert seen() == "private"


@pytest.mark.parametrize("name", ["", "Help", "a b", "x" * 33, "привет"])
def test_bad_command_names_are_refused(name: str) -> None:
    with pytest.raises(BotApiError, match="BOT_COMMAND_INVALID"):
        CommandBook().set(None, None, [{"command": name, "description": "x"}])


def test_the_oldest_files_go_when_the_budget_is_used_up() -> None:
    store = FileStore(budget_bytes=1000)
    files = [store.add(Upload(bytes(400), f"{i}.mp3", "audio/mpeg"), "audio") for i in range(3)]
    with pytest.raises(BotApiError, match="wrong file_id"):
        store.get(files[0].file_id)
    assert store.get(files[2].file_id) is files[2]
    assert store.find_path("music/file_3.mp3") is files[2]
    assert store.find_path("../etc/passwd") is None
