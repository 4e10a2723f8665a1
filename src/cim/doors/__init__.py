"""Where the world outside meets the machine: commands, queries and the page."""
