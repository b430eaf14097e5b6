"""What a capture holds of two ends: what was really seen between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ...model.addresses import Address
from ...model.flows import Verdict
from . import commands
from .context import Context, Inquiry
from .steps import Status, Step

if TYPE_CHECKING:
    import pyarrow as pa

    from ...model.cluster import Cluster
    from ...model.flows import Capture

NAME, TITLE = "traffic", "Traffic: what was really seen between them?"
_NEEDED = (
    "time",
    "source_address",
    "destination_address",
    "destination_port",
    "protocol",
    "source_pod",
    "destination_pod",
    "observed_verdict",
    "egress_verdict",
    "ingress_verdict",
)
_RECORDED = ("observed_verdict", "egress_verdict", "ingress_verdict")
_BATCH = 1 << 18


@dataclass(frozen=True, slots=True)
class Seen:
    """What a capture holds of the two ends, on the port that was asked for.

    Attributes
    ----------
    flows, elsewhere : int
        On that port, and on others.
    first, last : int or None
        When the first and the last of them began, ns.
    passed, dropped : int
        What is recorded to have been let through, and dropped.
    last_passed, first_dropped : int or None
        When it last worked, and when it first did not, ns.
    """

    flows: int = 0
    elsewhere: int = 0
    first: int | None = None
    last: int | None = None
    passed: int = 0
    dropped: int = 0
    last_passed: int | None = None
    first_dropped: int | None = None


def check(context: Context) -> Step:
    """Tell what the capture shows."""
    pair = next(iter(context.pairs), None)
    ways = []
    if pair is not None:
        ends = context.pod(pair.source), context.pod(pair.destination)
        ways = commands.drops(context.enforcement.plugin.name, *ends, pair.port, pair.protocol)
    if context.seen is None:
        found = "Not asked: no capture was given."
        return Step(NAME, TITLE, Status.NOT_ASKED, "nothing", found, commands=tuple(ways))
    seen = context.seen
    checked = "records of the capture between these ends"
    if not seen.flows:
        more = f" {seen.elsewhere:,} on other ports." if seen.elsewhere else ""
        return Step(NAME, TITLE, Status.UNKNOWN, checked, f"Nothing was seen on this port.{more}", commands=tuple(ways))
    verdict = {Verdict.ALLOW: "allow", Verdict.DENY: "deny", Verdict.UNKNOWN: "cannot judge"}[context.verdict]
    details = [f"The policies, as they are, {verdict} them."]
    if seen.elsewhere:
        details.append(f"{seen.elsewhere:,} more on other ports.")
    found = f"{seen.flows:,} seen on this port."
    if seen.passed or seen.dropped:
        recorded = f"{seen.passed:,} recorded as let through, {seen.dropped:,} as dropped"
        found = f"{seen.flows:,} seen on this port: {recorded}."
    details += _times(seen)
    return Step(
        NAME,
        TITLE,
        Status.FOUND if seen.dropped else Status.OK,
        checked,
        found,
        details=tuple(details),
        commands=tuple(ways),
    )


def _times(seen: Seen) -> list[str]:
    """Say when it was seen, when it last worked, and when it first did not."""
    found = []
    if seen.first is not None and seen.last is not None:
        found.append(f"The first began at {_moment(seen.first)}, the last at {_moment(seen.last)}.")
    if seen.last_passed is not None and seen.dropped:
        found.append(f"It last worked at {_moment(seen.last_passed)}.")
    if seen.first_dropped is not None:
        found.append(f"It was first dropped at {_moment(seen.first_dropped)}.")
    return found


def _moment(nanoseconds: int) -> str:
    return f"{datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def look(capture: Capture, cluster: Cluster, inquiry: Inquiry, ports: Sequence[int]) -> Seen:
    """Count the flows of a capture between the ends of a question.

    Parameters
    ----------
    capture : Capture
        As `loaders.open_capture` gives it.
    cluster : Cluster
    inquiry : Inquiry
    ports : sequence of int
        Destination ports that are meant: as dialled, and of the pods behind a Service.
    """
    ends = (
        _Ends.of(cluster, inquiry.source.pods, inquiry.source.addresses),
        _Ends.of(cluster, inquiry.destination.pods, inquiry.destination.addresses),
    )
    columns = [name for name in _NEEDED if name in capture.columns]
    counts = _Counts()
    for split in capture.splits:
        for batch in capture.read(split, columns, _BATCH):
            counts.add(batch, ends, inquiry.protocol, set(ports))
    return counts.seen()


@dataclass(frozen=True, slots=True)
class _Ends:
    """How records name one end."""

    addresses: frozenset[Address]
    pods: frozenset[str]

    @classmethod
    def of(cls, cluster: Cluster, pods: Sequence[int], addresses: Sequence[Address]) -> _Ends:
        named = [cluster.pods[number] for number in pods]
        own = (address for pod in named if not pod.host_network for address in pod.addresses)
        return cls(frozenset([*own, *addresses]), frozenset(pod.full_name for pod in named))

    def mask(self, batch: pa.RecordBatch, side: str) -> pa.Array:
        """Tell of each record whether its end is this one; a pod's name wins over its address."""
        import pyarrow as pa
        import pyarrow.compute as pc

        no = pa.array([False] * batch.num_rows)
        by_address, by_name = no, no
        if (name := f"{side}_address") in batch.schema.names:
            column = batch.column(name)
            by_address = pc.is_in(column, value_set=self._values(column.type))
        if (name := f"{side}_pod") in batch.schema.names:
            column = batch.column(name).cast(pa.string())
            by_name = pc.is_in(column, value_set=pa.array(sorted(self.pods), pa.string()))
        return pc.or_(pc.fill_null(by_address, False), pc.fill_null(by_name, False))

    def _values(self, kind: pa.DataType) -> pa.Array:
        import pyarrow as pa

        if pa.types.is_integer(kind):
            return pa.array(sorted(a.value for a in self.addresses if a.family.bits == 32), kind)
        mapped = (a.value | (0xFFFF << 32 if a.family.bits == 32 else 0) for a in self.addresses)
        return pa.array(sorted(value.to_bytes(16, "big") for value in mapped), pa.binary(16))


class _Counts:
    """Adds up what batches hold."""

    def __init__(self) -> None:
        self._flows = self._elsewhere = self._passed = self._dropped = 0
        self._times: dict[str, list[int]] = {"all": [], "passed": [], "dropped": []}

    def add(self, batch: pa.RecordBatch, ends: tuple[_Ends, _Ends], protocol: int, ports: set[int]) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        mask = pc.and_(ends[0].mask(batch, "source"), ends[1].mask(batch, "destination"))
        between = batch.filter(mask)
        if "protocol" in between.schema.names:
            own = between.filter(pc.fill_null(pc.equal(between.column("protocol"), protocol), False))
        else:
            own = between
        on_port = own
        if ports and "destination_port" in own.schema.names:
            values = pa.array(sorted(ports), own.column("destination_port").type)
            on_port = own.filter(pc.is_in(own.column("destination_port"), value_set=values))
        self._flows += on_port.num_rows
        self._elsewhere += between.num_rows - on_port.num_rows
        times = [None] * on_port.num_rows
        if "time" in on_port.schema.names:
            times = on_port.column("time").cast(pa.int64()).to_pylist()
        for time, words in zip(times, _recorded(on_port), strict=True):
            self._one(time, words)

    def _one(self, time: int | None, recorded: set[str]) -> None:
        dropped, passed = bool(recorded & _DROPS), bool(recorded & _PASSES)
        self._dropped += dropped
        self._passed += passed and not dropped
        if time is not None:
            self._note("all", time)
            if dropped or passed:
                self._note("dropped" if dropped else "passed", time)

    def _note(self, what: str, time: int) -> None:
        known = self._times[what] or [time, time]
        self._times[what] = [min(known[0], time), max(known[1], time)]

    def seen(self) -> Seen:
        first, last = self._span("all")
        _, last_passed = self._span("passed")
        first_dropped, _ = self._span("dropped")
        return Seen(self._flows, self._elsewhere, first, last, self._passed, self._dropped, last_passed, first_dropped)

    def _span(self, what: str) -> tuple[int | None, int | None]:
        times = self._times[what]
        return (times[0], times[1]) if times else (None, None)


_DROPS = {"dropped", "drop", "deny", "denied", "reject", "rejected", "block"}
_PASSES = {"forwarded", "redirected", "audit", "allow", "allowed", "accept", "accepted", "pass"}


def _recorded(batch: pa.RecordBatch) -> Iterator[set[str]]:
    """Yield what each record says became of it."""
    import pyarrow as pa

    names = [name for name in _RECORDED if name in batch.schema.names]
    columns = [batch.column(name).cast(pa.string()).to_pylist() for name in names]
    for row in range(batch.num_rows):
        yield {column[row].lower() for column in columns if column[row]}
