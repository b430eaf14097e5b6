"""Advice: what is wrong with a cluster's policies, and what to write instead."""
