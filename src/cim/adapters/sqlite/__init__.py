"""SQLite beside the leaf: files of what is derived from the log."""
