"""The process that runs the Chordino plugin, from samples on stdin to chords on stdout.

Input: float32 samples, native byte order, mono, at :data:`SAMPLE_RATE_HZ`. Output: a JSON array
of ``[start_s, label]``, labels in Harte syntax. ``VAMP_PATH`` names the plugin's folder. Run by
:mod:`inference_service.harmony.chordino` in a separate process, because the plugin holds Python's
global lock for seconds at a time, and is native code that processes untrusted audio.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import vamp
from numpy.typing import NDArray

SAMPLE_RATE_HZ: Final = 44_100
PLUGIN: Final = "nnls-chroma:chordino"
PARAMETERS: Final = {"usehartesyntax": 1.0}


def find_chords(mono: NDArray[np.float32]) -> Iterator[tuple[float, str]]:
    """Yield the start in seconds and the label of each chord.

    Parameters
    ----------
    mono : np.ndarray, shape (N,)
    """
    features: Iterator[dict[str, Any]] = vamp.process_audio(
        mono, SAMPLE_RATE_HZ, PLUGIN, output="simplechord", parameters=PARAMETERS
    )
    for feature in features:
        yield float(feature["timestamp"]), feature["label"]


def main() -> None:
    """Process one recording."""
    mono = np.frombuffer(sys.stdin.buffer.read(), np.float32)
    json.dump(list(find_chords(mono)), sys.stdout)


if __name__ == "__main__":
    main()
