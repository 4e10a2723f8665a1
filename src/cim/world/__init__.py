"""Entities with their components, and the systems that add to them."""
