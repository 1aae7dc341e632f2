"""What changed between two releases, tested statistically: NumPy only, no I/O."""
