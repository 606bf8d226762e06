"""Florin: events in, rules decide, a double-entry ledger writes down. See docs/explanation for the map."""
