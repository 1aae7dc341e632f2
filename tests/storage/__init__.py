"""Storage tests: every statement runs on a real embedded engine and on a real server."""
