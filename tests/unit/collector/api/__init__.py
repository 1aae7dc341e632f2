"""Unit tests of the query API."""
