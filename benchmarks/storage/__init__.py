"""How small the store is, and how fast it answers."""
