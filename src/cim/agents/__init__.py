"""Agents: systems that reason. Each step of a run is in the log, and so nothing is asked or done twice."""
