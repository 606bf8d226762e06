"""Rewards, redemptions, reversals and transfers over HTTP, on a real database."""
