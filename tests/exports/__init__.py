"""Writers of other formats: each takes a path and batches of flows."""

from .antrea import write_antrea
from .aws import write_aws
from .azure import write_azure
from .calico import write_calico, write_goldmane
from .conntrack import write_conntrack
from .gadget import write_gadget
from .gcp import write_gcp
from .goflow2 import write_goflow2
from .nfdump import write_nfdump
from .pcap import write_pcap
from .zeek import write_zeek

WRITERS = {
    "antrea": write_antrea,
    "aws-vpc": write_aws,
    "azure": write_azure,
    "calico": write_calico,
    "conntrack": write_conntrack,
    "gadget": write_gadget,
    "gcp": write_gcp,
    "goflow2": write_goflow2,
    "goldmane": write_goldmane,
    "nfdump": write_nfdump,
    "pcap": write_pcap,
    "zeek": write_zeek,
}
