"""The one file that the bot keeps."""

from __future__ import annotations

from pathlib import Path

from bot.languages import SqliteLanguages


async def test_choices_are_kept_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "bot.sqlite3"
    with SqliteLanguages(path) as store:
        await store.choose(1, "ru")
        await store.choose(2, "en")
        await store.choose(2, "ru")
        await store.forget(1)
    with SqliteLanguages(path) as store:
        assert await store.get(1) is None
        assert await store.get(2) == "ru"
        assert await store.get(3) is None


async def test_the_oldest_choices_are_forgotten() -> None:
    with SqliteLanguages(max_choices=3) as store:
        for user_id in range(10):
            await store.choose(user_id, "ru")
        assert [user_id for user_id in range(10) if await store.get(user_id)] == [7, 8, 9]
