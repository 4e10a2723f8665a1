"""Protocols that the machine's core speaks to; adapters and providers fulfil them."""
