"""How ends and ports of possible connections are written."""

import pytest

from simcore.analyses.connectivity import RangeEnd, WorkloadEnd
from simcore.model.addresses import Address
from simcore.model.ports import PORT_PROTOCOLS, TCP, UDP, PortRange
from simcore.report.ends import Naming, end_text, ports_text
from simcore.report.npa import from_one, npa_ports

EVERY_PORT = tuple(map(PortRange, PORT_PROTOCOLS))


def outside(*texts):
    ranges = tuple(tuple(map(Address.parse, text.split("-"))) for text in texts)
    return RangeEnd(ranges, ranges[0][0])


def workload(name, pods=1, total=1, example=""):
    return WorkloadEnd(name, pods, total, example)


@pytest.mark.parametrize(
    ("ranges", "text", "npa"),
    [
        (EVERY_PORT, "all ports", "All Connections"),
        ((), "", "No Connections"),
        (
            (PortRange(TCP, 80, 80), PortRange(TCP, 90, 99), PortRange(UDP)),
            "TCP 80,90-99; UDP",
            "TCP 80,90-99,UDP 1-65535",
        ),
        ((PortRange(TCP, 0, 0), PortRange(TCP, 5, 5)), "TCP 0,5", "TCP 5"),
        ((PortRange(TCP, 1, 65535),), "TCP 1-65535", "TCP 1-65535"),
    ],
)
def test_ports(ranges, text, npa):
    assert ports_text(ranges) == text
    assert npa_ports(from_one(ranges)) == npa


def test_npa_joins_ranges_of_several_ends():
    assert npa_ports([PortRange(TCP, 81, 90), PortRange(TCP, 80, 80), PortRange(TCP, 85, 99)]) == "TCP 80-99"


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (outside("0.0.0.0-255.255.255.255"), "0.0.0.0/0"),
        (outside("10.0.0.0-10.255.255.255"), "10.0.0.0/8"),
        (outside("10.0.0.1-10.0.0.1"), "10.0.0.1"),
        (outside("10.0.0.1-10.0.0.2"), "10.0.0.1-10.0.0.2"),
        (outside("fd00::-fd00::ffff"), "fd00::/112"),
        (outside("1.0.0.0-1.0.0.0", "3.0.0.0-3.0.0.0", "5.0.0.0-5.0.0.0"), "1.0.0.0, 3.0.0.0, 5.0.0.0"),
        (outside(*(f"{n}.0.0.0-{n}.0.0.0" for n in range(1, 10))), "1.0.0.0, 2.0.0.0, 3.0.0.0 and 6 more ranges"),
        (workload("shop/Deployment/web", 3, 3, "shop/web-1"), "shop/Deployment/web"),
        (workload("shop/Deployment/web", 1, 3, "shop/web-1"), "shop/Deployment/web (1 of 3 pods, such as shop/web-1)"),
    ],
)
def test_ends(end, text):
    assert end_text(end) == text


def test_whole_namespaces_and_whole_families_are_named_together():
    shop = [workload(f"shop/Pod/{name}") for name in "abcd"]
    ops = [workload("ops/Pod/a"), workload("ops/Pod/b")]
    v4 = [outside("0.0.0.0-9.255.255.255"), outside("10.0.0.0-255.255.255.255")]
    naming = Naming([*shop, *ops, *v4])
    assert naming.texts([*shop, ops[0]]) == ["all of shop (4 workloads)", "ops/Pod/a"]
    assert naming.texts([*shop, *ops]) == ["every workload (6)"]
    assert naming.texts([shop[0], *v4]) == ["shop/Pod/a", "every outside IPv4 address"]
    assert naming.texts(v4[:1]) == ["0.0.0.0-9.255.255.255"]


def test_of_many_names_some_are_written():
    ends = [workload(f"n{number}/Pod/a") for number in range(20)]
    text = "".join(span.text for span in Naming([*ends, workload("x/Pod/x")]).line(ends))
    assert text.endswith(" and 12 more")
