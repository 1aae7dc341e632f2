"""The query API under /api/v1."""
