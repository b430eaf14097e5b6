"""Lint rules: what is wrong with policies, or may not be what was meant, and how it is mended."""
