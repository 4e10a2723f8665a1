"""SQLite beside the leaf: what is derived from the log, and persons' keys, in files."""
