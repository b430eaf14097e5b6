"""Made-up Hubble exports: what the nodes of a cluster under Cilium would write down of its traffic."""
