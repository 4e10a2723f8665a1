"""Adapters over NATS and JetStream."""
