"""Files of packets to one in Parquet, in the columns of PACKET_SCHEMA."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simcore.errors import Diagnostic, LoadError

from ..records.converting import as_errors
from ..records.reading import Reading
from ..shapes import PACKETS
from ..sources import Wanted, find_files, problem
from ..streams import Source, read_start
from ..writer import FlowWriter
from .files import HEAD, is_frames
from .tracked import read_tracked

Progress = Callable[[int], None]
"""Called with the packets met so far."""


def holds_frames(path: str) -> bool:
    """Whether a file is pcap or pcapng, packed or not."""
    try:
        return is_frames(read_start(path, HEAD))
    except OSError:
        return False


def find_packets(paths: Sequence[str]) -> list[str]:
    """Find the pcap and pcapng files that paths stand for.

    Raises
    ------
    LoadError
        A path leads nowhere, or to a file of another format.
    """
    problems: list[Diagnostic] = []
    found = list(find_files(paths, problems, Wanted("pcap or pcapng file", holds_frames)))
    problems += [problem(path, "this is neither pcap nor pcapng") for path in found if not holds_frames(path)]
    if problems:
        raise LoadError(problems)
    return found


def convert_packets(
    paths: Sequence[str], output: str, *, strict: bool = False, progress: Progress | None = None
) -> Reading:
    """Write the packets of pcap and pcapng files to one file, in the order of the files and of the packets in each.

    Parameters
    ----------
    paths : sequence of str
        The files.
    output : str
        Parquet file to write.
    strict : bool
        Whether a packet that cannot be read is an error, rather than told and counted.
    progress : callable, optional
        Called now and then.

    Returns
    -------
    Reading
        What became of every packet.

    Raises
    ------
    LoadError
        Nothing can be read, or something cannot and `strict` is set.
    """
    reading = Reading(strict)
    with FlowWriter(output, wide=True, shape=PACKETS) as writer:
        for path in paths:
            source, before = Source(path), reading.records
            for batch in read_tracked(source, reading):
                writer.write(batch)
                reading.rows += batch.num_rows
                if progress is not None:
                    progress(reading.records)
            if reading.records == before:
                reading.note(source, "there is no packet in it")
        if reading.unreadable and not reading.rows:
            raise LoadError(as_errors(reading.diagnostics))
    return reading
