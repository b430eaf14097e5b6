"""From when to when the flows of a capture came."""

from __future__ import annotations

import numpy as np

from ..kernels.moments import NO_TIME
from ..model.cluster import Stretch
from ..model.flows import Capture, Split
from .shards import Engine
from .timely import read_times


def time_extent(capture: Capture, engine: Engine, batch_rows: int) -> Stretch | None:
    """Return the times of the first and the last flow (ns); None where a flow tells none, or there is no flow."""
    if "time" not in capture.columns:
        return None

    def look(split: Split) -> list[int]:
        found: list[int] = []
        for batch in capture.read(split, ["time"], batch_rows):
            times = read_times(batch)
            found += [int(np.min(times)), int(np.max(times))] if times.size else []
        return found

    times = [time for found in engine.map(look, capture.splits) for time in found]
    return None if not times or min(times) == NO_TIME else (min(times), max(times))
