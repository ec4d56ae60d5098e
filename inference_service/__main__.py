"""``python -m inference_service``: the command line."""

from __future__ import annotations

import sys

from inference_service.cli import main

if __name__ == "__main__":
    sys.exit(main())
