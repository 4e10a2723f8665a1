"""The graph of a machine, derived from what its modules' annotations say."""
