"""Unit tests of which change is behind a regression."""
