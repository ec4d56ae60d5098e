"""Parts of a song that are next to nothing."""

from __future__ import annotations

from inference_service.music.events import NoteEvent, Part
from inference_service.pipeline.stray import split_stray


def part(name: str, count: int, note_s: float = 0.5, *, is_drum: bool = False) -> Part:
    notes = tuple(NoteEvent(k, k + note_s, 60) for k in range(count))
    return Part(name, name.title(), notes, None if is_drum else 0, is_drum=is_drum)


def names(*parts: Part, duration_s: float = 180.0) -> tuple[list[str], list[str]]:
    kept, stray = split_stray(parts, duration_s)
    return [p.id for p in kept], [p.id for p in stray]


def test_a_handful_among_hundreds_is_stray() -> None:
    assert names(part("vocals", 300), part("guitar", 6)) == (["vocals"], ["guitar"])
    assert names(part("vocals", 300), part("guitar", 9)) == (["vocals", "guitar"], [])


def test_a_handful_in_a_short_recording_is_a_part() -> None:
    assert names(part("vocals", 12), part("bass", 3), duration_s=8.0)[1] == []


def test_what_hardly_sounds_is_stray() -> None:
    parts = part("vocals", 100), part("winds", 20, note_s=0.05)
    assert names(*parts) == (["vocals"], ["winds"])


def test_drums_stay_and_so_does_the_last_part() -> None:
    assert names(part("vocals", 300), part("drums", 2, is_drum=True))[1] == []
    assert names(part("vocals", 1, note_s=0.1)) == (["vocals"], [])
