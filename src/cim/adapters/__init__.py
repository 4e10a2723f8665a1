"""What fulfils the ports: in memory for tests and one process, and NATS."""
