"""Verdicts of ours beside recorded ones: what was recorded, where both differ, and why that may be."""
