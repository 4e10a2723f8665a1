"""Models that are wholly hijacked, against an agent's grants: what gets through beside them is counted."""
