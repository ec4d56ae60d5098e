"""What is in use, and what nobody has used for a while."""

from __future__ import annotations

from inference_service.cluster.uses import Uses


def test_what_nobody_uses_for_the_longest_age_is_named_until_it_is_forgotten() -> None:
    now_s = 0.0
    uses = Uses(lambda: now_s)
    assert uses.note(["old", "both"], 10.0) == []
    now_s = 10.0
    assert uses.note(["both", "new"], 10.0) == []
    now_s = 10.5
    assert uses.note([], 10.0) == ["old"]
    assert uses.note([], 10.0) == ["old"]
    uses.forget(["old"])
    assert uses.note([], 10.0) == []


def test_what_is_used_again_stays() -> None:
    now_s = 0.0
    uses = Uses(lambda: now_s)
    uses.note(["model"], 10.0)
    now_s = 20.0
    assert uses.note(["model"], 10.0) == []
