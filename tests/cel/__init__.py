"""The expression engine: conformance, dialect, limits, safety, agreement with other implementations."""
