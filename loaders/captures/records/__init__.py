"""Records of files, one by one or in tables, to rows of flows: what all formats share."""
