"""Snapshots of live clusters: how they are taken through kubectl, what of them is kept, how they are written."""
