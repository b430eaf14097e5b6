"""What the conntrack tables of nodes need."""
