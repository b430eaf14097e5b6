"""The FTP helper (C-10): which data connections the lines of a control connection announce."""

import re
from ipaddress import ip_address

LIFE = 300  # seconds
PORT, PASV = r"PORT\s+(\d+(?:,\d+){5})", r"227 [^\d\n]*(\d+(?:,\d+){5})"
EPRT, EPSV = r"EPRT\s+\|[12]\|([^|]+)\|(\d+)\|", r"229 .*\(\|\|\|(\d+)\|\)"


class Conversation:
    """What was heard on one control connection."""

    def __init__(self):
        self.line_ends = ([], [])  # sequence numbers right after a newline, in each direction; the last two

    def hear(self, packet, direction, sender):
        """Return the (address, port) that this packet announces for a data connection, or None."""
        text = packet.payload or ""
        if not text or packet.sequence is None:
            return None
        announced = None
        if packet.sequence in self.line_ends[direction]:
            announced = read(text, direction, sender)
        if text.endswith("\n"):
            self.remember((packet.sequence + len(text.encode())) & 0xFFFF_FFFF, self.line_ends[direction])
        return announced

    @staticmethod
    def remember(number, known):
        if number in known:
            return
        if len(known) < 2:
            known.append(number)
            return
        oldest = 0 if behind(known[0], known[1]) else 1
        if behind(known[oldest], number):
            known[oldest] = number


def behind(a, b):
    return (a - b) & 0xFFFF_FFFF >= 1 << 31


def read(text, direction, sender):
    """The announced end, if it is the sender's own address; a client says PORT or EPRT, a server 227 or 229."""
    short, extended = (PORT, EPRT) if direction == 0 else (PASV, EPSV)
    if found := re.match(short, text, re.IGNORECASE):
        numbers = [int(number) for number in found[1].split(",")]
        if max(numbers) > 255:
            return None
        address, port = ".".join(map(str, numbers[:4])), numbers[4] * 256 + numbers[5]
    elif found := re.match(extended, text, re.IGNORECASE):
        address, port = (found[1], int(found[2])) if direction == 0 else (sender, int(found[1]))
    else:
        return None
    return (sender, port) if ip_address(address) == ip_address(sender) and 0 < port < 65536 else None
