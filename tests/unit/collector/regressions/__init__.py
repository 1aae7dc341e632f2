"""Unit tests of regressions as they are kept."""
