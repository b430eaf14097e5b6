"""Writers of other formats: each takes a path and batches of flows."""

from .azure import write_azure
from .calico import write_calico, write_goldmane
from .gadget import write_gadget
from .gcp import write_gcp

WRITERS = {
    "azure": write_azure,
    "calico": write_calico,
    "gadget": write_gadget,
    "gcp": write_gcp,
    "goldmane": write_goldmane,
}
