"""Unit tests, in the shape of the source."""
