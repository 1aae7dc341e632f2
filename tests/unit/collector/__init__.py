"""Unit tests of the collector."""
