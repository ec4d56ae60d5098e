"""Where the fonts of the pages are kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from inference_service.notation import fonts


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Keep the fonts in a temporary folder again after the test."""
    yield
    fonts.keep_in(None)


def test_fonts_are_kept_in_the_given_folder_and_written_again(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "fonts"
    fonts.keep_in(folder)
    files = [Path(name) for name in fonts.font_files()]
    assert fonts.font_directory() == folder
    assert sorted(folder.iterdir()) == files
    before = files[0].read_bytes()
    files[0].unlink()
    assert fonts.font_directory() == folder
    assert files[0].read_bytes() == before


def test_a_file_that_was_cut_off_is_replaced_at_the_start(tmp_path: Path) -> None:
    fonts.keep_in(tmp_path)
    path = Path(fonts.font_files()[0])
    before = path.read_bytes()
    path.write_bytes(before[:100])
    fonts.keep_in(None)
    fonts.keep_in(tmp_path)
    assert fonts.font_directory() == tmp_path
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_replaced_by_a_temporary_one(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    fonts.keep_in(blocked)
    temporary = fonts.font_directory()
    assert temporary != blocked
    assert blocked.read_text() == "no folder"
    fonts.remove_temporary()
    assert not temporary.exists()
    assert fonts.font_directory().is_dir()
