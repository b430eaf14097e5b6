"""Connections written as the events that nodes make of them, in any order in which nodes may: the rows are theirs."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from tests.hubble import (
    ACK,
    ESTABLISHED,
    FIN,
    NEW,
    REPLY,
    SYN,
    SYN_ACK,
    at,
    converted,
    denied,
    flow,
    layer7,
    save,
    sides,
    trace,
    turned,
)


def seconds(told):
    return int(told["time"][17:19]) + float("0" + told["time"][19:-1])


ALLOWED = {"FORWARDED": "forwarded", "REDIRECTED": "redirected", "AUDIT": "audit"}
STEP = 0.01


@dataclass(frozen=True)
class Attempt:
    """A connection: what both sides say, or None where they say nothing, and what is seen of it besides."""

    start: int
    egress: str | None
    ingress: str | None
    tries: int
    traces: int
    requests: int
    is_opened: bool

    @property
    def is_denied(self) -> bool:
        return "DROPPED" in (self.egress, self.ingress)

    def events(self, port: int, skew: float = 0.0) -> list[dict]:
        """All that is told of it; clocks of the destination's node are `skew` ahead."""
        return [
            told if told["node_name"] == "east/one" else told | {"time": at(seconds(told) + skew)}
            for told in self._events(port)
        ]

    def _events(self, port: int) -> list[dict]:
        start = 2 + self.start * STEP
        found = []
        for number in range(self.tries if self.is_denied else 1):
            found += self._try(start + number * 1.0, number, port) if self.is_opened else []
        if not self.is_denied:
            for number in range(self.traces):
                told = trace(start + 0.3 + number * 0.2, ESTABLISHED, FIN if number == 2 else ACK, port=port)
                reply = trace(start + 0.35 + number * 0.2, REPLY, ACK, direction="INGRESS", port=port)
                found += [told, turned(reply)]
            for number in range(self.requests):
                found.append(layer7(start + 0.31 + number * 0.1, http={"url": f"/{number}"}, port=port))
        return found

    def _try(self, start: float, number: int, port: int) -> list[dict]:
        found = []
        for side, delay in (("egress", 0.0), ("ingress", 0.002)):
            verdict = getattr(self, side)
            told = {"direction": side.upper(), "port": port}
            if verdict == "DROPPED":
                return [*found, *(denied(start + delay, kind, **told) for kind in (5, 1))]
            if verdict is not None and not number:
                found.append(flow(start + delay, 5, verdict, **told))
            found.append(trace(start + delay + 0.001, NEW, SYN, **told))
        return [*found, turned(trace(start + 0.01, REPLY, SYN_ACK, port=port))]

    def row(self, events: list[dict]) -> tuple | None:
        """What the connection is to become; None where no event shows it."""
        if not self.is_opened:
            return ("mid-stream", None, None) if any(told["event_type"]["type"] == 4 for told in events) else None
        egress, ingress = (side and ALLOWED.get(side, "dropped") for side in (self.egress, self.ingress))
        return ("connection", egress, None if egress == "dropped" else ingress)


verdicts = st.sampled_from([None, *ALLOWED, "DROPPED"])
attempts = st.builds(
    Attempt,
    start=st.integers(0, 50),
    egress=verdicts,
    ingress=verdicts,
    tries=st.integers(1, 2),
    traces=st.integers(0, 3),
    requests=st.integers(0, 2),
    is_opened=st.booleans(),
)


@given(
    st.lists(attempts, min_size=1, max_size=6),
    st.randoms(use_true_random=False),
    st.booleans(),
    st.sampled_from([0.0, -1.0, 0.9]),
)
def test_events_in_any_order_give_the_connections_that_made_them(made, drawn, by_node, skew):
    events = [told for number, attempt in enumerate(made) for told in attempt.events(40_000 + number, skew)]
    if not events:
        return
    with TemporaryDirectory() as name:
        folder = Path(name)
        nodes = sorted({told["node_name"] for told in events}) if by_node else [None]
        paths = []
        for number, node in enumerate(nodes):
            mine = [told for told in events if node in (None, told["node_name"])]
            drawn.shuffle(mine)
            paths.append(save(folder, *mine, name=str(number)))
        drawn.shuffle(paths)
        rows, counts = converted(folder, *paths)
    told = {40_000 + number: attempt.row(attempt.events(40_000 + number)) for number, attempt in enumerate(made)}
    found = [row for row in rows if row["record"] != "request"]
    assert {row["source_port"]: (row["record"], *sides(row)) for row in found} == {
        port: row for port, row in told.items() if row is not None
    }
    assert len(found) == sum(row is not None for row in told.values())
    requests = sum(attempt.requests for attempt in made if not attempt.is_denied)
    assert len(rows) - len(found) == requests == counts.fates["requests"]
    assert counts.lines == len(events)
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
