"""Address ranges of public services: a few that are well known, from copies of the lists that operators publish."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.addresses import Cidr

WIDEST = {4: 8, 6: 16}
"""Blocks with shorter prefixes, by family, are about the Internet as a whole, and not about one service."""


@dataclass(frozen=True, slots=True)
class CloudService:
    """A public service that many customers share, at addresses that its operator changes.

    Attributes
    ----------
    names : tuple of str
        What its hosts are called, as patterns; empty where its customers' own names lead there.
    source : str
        Where the ranges are published.
    """

    title: str
    names: tuple[str, ...]
    source: str
    ranges: tuple[Cidr, ...]

    def touched_by(self, cidr: Cidr) -> Cidr | None:
        """Return the first of its ranges that holds a block, or that a block holds."""
        if cidr.length < WIDEST[cidr.family]:
            return None
        return next((range_ for range_ in self.ranges if range_.covers(cidr) or cidr.covers(range_)), None)


def _ranges(text: str) -> tuple[Cidr, ...]:
    return tuple(map(Cidr.parse, text.split()))


_AWS = "https://ip-ranges.amazonaws.com/ip-ranges.json"
CLOUD_SERVICES = (
    CloudService(
        "Amazon CloudFront",
        ("*.cloudfront.net",),
        _AWS,
        _ranges("13.32.0.0/15 13.224.0.0/14 52.84.0.0/15 54.192.0.0/16 99.84.0.0/16 205.251.192.0/19"),
    ),
    CloudService(
        "Amazon S3",
        ("*.s3.amazonaws.com", "*.s3.*.amazonaws.com"),
        _AWS,
        _ranges("52.216.0.0/15 54.231.0.0/17"),
    ),
    CloudService(
        "Cloudflare",
        (),
        "https://www.cloudflare.com/ips/",
        _ranges(
            "103.21.244.0/22 103.22.200.0/22 103.31.4.0/22 104.16.0.0/13 104.24.0.0/14 108.162.192.0/18 131.0.72.0/22 "
            "141.101.64.0/18 162.158.0.0/15 172.64.0.0/13 173.245.48.0/20 188.114.96.0/20 190.93.240.0/20 "
            "197.234.240.0/22 198.41.128.0/17 2400:cb00::/32 2606:4700::/32 2803:f800::/32 2405:b500::/32 "
            "2405:8100::/32 2a06:98c0::/29 2c0f:f248::/32"
        ),
    ),
    CloudService(
        "Fastly",
        (),
        "https://api.fastly.com/public-ip-list",
        _ranges(
            "23.235.32.0/20 43.249.72.0/22 103.244.50.0/24 103.245.222.0/23 103.245.224.0/24 104.156.80.0/20 "
            "140.248.64.0/18 140.248.128.0/17 146.75.0.0/17 151.101.0.0/16 157.52.64.0/18 167.82.0.0/17 "
            "167.82.128.0/20 167.82.160.0/20 167.82.224.0/20 172.111.64.0/18 185.31.16.0/22 199.27.72.0/21 "
            "199.232.0.0/16 2a04:4e40::/32 2a04:4e42::/32"
        ),
    ),
    CloudService(
        "GitHub",
        ("github.com", "*.github.com", "*.githubusercontent.com"),
        "https://api.github.com/meta",
        _ranges("192.30.252.0/22 185.199.108.0/22 140.82.112.0/20 143.55.64.0/20 2a0a:a440::/29 2606:50c0::/32"),
    ),
    CloudService(
        "Google APIs",
        ("*.googleapis.com",),
        "https://www.gstatic.com/ipranges/goog.json",
        _ranges(
            "64.233.160.0/19 66.102.0.0/20 72.14.192.0/18 74.125.0.0/16 108.177.0.0/17 142.250.0.0/15 172.217.0.0/16 "
            "172.253.0.0/16"
        ),
    ),
)
"""The first that a block touches is told."""


def service_of(cidr: Cidr) -> tuple[CloudService, Cidr] | None:
    """Return the service whose published ranges hold a block, or part of it, and that range."""
    for service in CLOUD_SERVICES:
        if found := service.touched_by(cidr):
            return service, found
    return None
