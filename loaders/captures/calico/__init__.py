"""What the records of Calico say of ends and of policies."""
