"""The kinds of policy.networking.k8s.io: AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy."""

from .forms import FORMS, GROUP
from .lowering import lower

__all__ = ["FORMS", "GROUP", "lower"]
