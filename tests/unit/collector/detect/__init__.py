"""Unit tests of the comparison of releases, on simulated data whose truth is known."""
