"""Contract tests: what outside programs may rely on."""
