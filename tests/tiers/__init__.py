"""Tiers: definitions, levels, lifecycles through the years."""
