"""Calico as the dataplane."""

from simcore.model.plugins import plugin_named

CALICO = plugin_named("calico").profile
