"""Packets through conntrack."""
