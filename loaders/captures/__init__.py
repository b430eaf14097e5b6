"""Captures of flows and packets: files of many shapes, read as batches of FLOW_SCHEMA's or PACKET_SCHEMA's columns."""

from .formats import FORMATS
from .opening import CAPTURES, open_capture
from .packets import PacketCapture, open_packets
from .telling import KNOWN
from .writer import FlowWriter, write_flows, write_packets

__all__ = [
    "CAPTURES",
    "FORMATS",
    "KNOWN",
    "FlowWriter",
    "PacketCapture",
    "open_capture",
    "open_packets",
    "write_flows",
    "write_packets",
]
