"""The frozen values every other room speaks in: no numpy, no files."""
