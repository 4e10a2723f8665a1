"""Entities as actors: one mailbox, load, decide, append."""
