"""Pure double entry: what would be posted, from values alone. No input or output, no clock."""
