"""Results that a store did not take, in memory: the latest few, until the service ends.

They have no sounds, which are too large to be kept like this.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from typing import Final

from inference_service.engine.corrected import CorrectedEntry
from inference_service.engine.results import CachedResult, unpack_result

MAX_RESULTS: Final = 100
MAX_BYTES: Final = 32_000_000


class UnstoredResults:
    """Results and corrections in memory, by id; not safe to use from several threads."""

    def __init__(self) -> None:
        self._packed: OrderedDict[str, bytes] = OrderedDict()
        self._corrected: OrderedDict[str, CorrectedEntry] = OrderedDict()

    def __contains__(self, result_id: str) -> bool:
        """Whether an uncorrected result is here."""
        return result_id in self._packed

    def put(self, result_id: str, packed: bytes) -> None:
        """Keep a result as the newest."""
        self._packed[result_id] = packed
        while len(self._packed) > 1 and (
            len(self._packed) > MAX_RESULTS or sum(map(len, self._packed.values())) > MAX_BYTES
        ):
            self._packed.popitem(last=False)

    def get(self, result_id: str) -> CachedResult:
        """Return an uncorrected result that is here; this counts as a use."""
        self._packed.move_to_end(result_id)
        return unpack_result(io.BytesIO(self._packed[result_id]))

    def put_corrected(self, entry: CorrectedEntry) -> None:
        """Keep a corrected result as the newest."""
        self._corrected[entry.id] = entry
        self._corrected.move_to_end(entry.id)
        while len(self._corrected) > MAX_RESULTS:
            self._corrected.popitem(last=False)

    def find_corrected(self, result_id: str) -> CorrectedEntry | None:
        """Return a corrected result, if it is here; this counts as a use."""
        if result_id not in self._corrected:
            return None
        self._corrected.move_to_end(result_id)
        return self._corrected[result_id]

    def forget(self, root_id: str) -> None:
        """Drop a result and its corrections."""
        self._packed.pop(root_id, None)
        for entry in list(self._corrected.values()):
            if entry.root_id == root_id:
                del self._corrected[entry.id]
