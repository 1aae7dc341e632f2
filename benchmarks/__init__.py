"""Measurements: each prints ratios within one run. Run one with ``python -m benchmarks.NAME``."""
