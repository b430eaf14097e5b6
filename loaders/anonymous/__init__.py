"""Snapshots and captures under pseudonyms, which keep every verdict: to be sent to somebody else."""

from .captures import anonymize_capture, anonymous_flows
from .files import Written, anonymize_files
from .keyfile import KeyFile
from .objects import Anonymizer, anonymous_objects
from .pseudonyms import Pseudonyms

__all__ = [
    "Anonymizer",
    "KeyFile",
    "Pseudonyms",
    "Written",
    "anonymize_capture",
    "anonymize_files",
    "anonymous_flows",
    "anonymous_objects",
]
