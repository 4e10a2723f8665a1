"""Providers over NATS: asking them, answering as one of them, and who they are."""
