"""Rows in PostgreSQL, for those who have it."""
