"""Benchmarks and chaos at a tiny size: each command runs, and its checks hold and can fail."""
