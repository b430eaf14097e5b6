"""Flow records as connections."""
