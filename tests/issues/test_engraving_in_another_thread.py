"""Verovio found its fonts only in the thread that had imported it.

The service imports the pipeline in one thread and engraves in another, so every page failed with
"Verovio cannot read the MusicXML".
"""

from __future__ import annotations

import subprocess
import sys

CODE = """
import threading
from inference_service.notation import engrave
from inference_service.notation.musicxml import encode_musicxml
from inference_service.music.events import Key
from inference_service.music.score import Score, ScoreNote, ScorePart
from fractions import Fraction

part = ScorePart("vocals", "Vocals", (ScoreNote(Fraction(0), Fraction(4), 60),))
musicxml = encode_musicxml(Score("", 120.0, "4/4", Key("C", "major"), (part,), ()))
pages = []
thread = threading.Thread(target=lambda: pages.extend(engrave.engrave(musicxml)))
thread.start()
thread.join()
print(len(pages))
"""


def test_any_thread_may_engrave_first() -> None:
    output = subprocess.run([sys.executable, "-c", CODE], capture_output=True, check=True).stdout
    assert output.strip() == b"1"
