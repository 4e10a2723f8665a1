"""Policies and processes: events in, commands and timers out."""
