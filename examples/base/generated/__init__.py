"""Instructions from a grammar with two sides: what teaches and what judges share neither names nor sentences."""
