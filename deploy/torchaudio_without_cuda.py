"""Let torchaudio's wheel work beside a CPU build of torch.

The wheel of torchaudio 2.11 links CUDA and fails to import where torch has none. Without the
shared libraries in its ``lib`` folder it runs in its own pure-Python mode, which holds all that
Notabot and its models use (resampling and the transforms).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch


def main() -> None:
    """Remove the shared libraries, unless torch was built with CUDA."""
    spec = find_spec("torchaudio")
    if torch.version.cuda is not None or spec is None or spec.origin is None:
        return
    for library in Path(spec.origin).parent.glob("lib/*.so"):
        library.unlink()


if __name__ == "__main__":
    main()
