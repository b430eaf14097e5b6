"""How many flows are of times at which nobody is known to have stood at one of their ends."""

from __future__ import annotations

import numpy as np

from ..model.flows import Reason
from ..tables.decisions import REASONS
from ..tables.layout import Tables
from .judging import Judged

_MEANT = [REASONS.index(reason) for reason in (Reason.POD_NOT_THERE_THEN, Reason.NOBODY_THEN, Reason.SEVERAL_THEN)]


def count_not_there(tables: Tables, judged: Judged) -> int:
    """Count the flows of a batch that are unknown for their time under the first policy set."""
    if tables.moments is None:
        return 0
    is_meant = np.isin(tables.arrays.reason_of, _MEANT)
    return int(np.count_nonzero(is_meant[judged.egress[0] >> 2] | is_meant[judged.ingress[0] >> 2]))
