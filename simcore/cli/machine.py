"""What this runs on, and how much memory it has taken."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path

_INFORMATION = Path("/proc/cpuinfo")
_STATUS = Path("/proc/self/status")
_FORGET = Path("/proc/self/clear_refs")


def machine_words() -> str:
    """Name processor, cores, memory and system."""
    memory = ""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    return f"{_processor()}, {os.cpu_count()} cores{memory}; {platform.system()} {platform.machine()}"


def _processor() -> str:
    text = _INFORMATION.read_text() if _INFORMATION.exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor() or "unknown processor"


def forget_peak() -> None:
    """Start anew with the most memory held, where the system can."""
    try:
        _FORGET.write_text("5")
    except OSError:
        return


def peak_bytes() -> int | None:
    """Return the most memory that this process held, since `forget_peak` on Linux; nothing if no one tells."""
    if _STATUS.exists():
        lines = _STATUS.read_text().splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), None)
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, which alone comes here
