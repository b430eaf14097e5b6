"""Captures of flows: files of many shapes, read as batches of the columns of FLOW_SCHEMA."""

from .opening import CAPTURES, open_capture
from .writer import FlowWriter, write_flows

__all__ = ["CAPTURES", "FlowWriter", "open_capture", "write_flows"]
