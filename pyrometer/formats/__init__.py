"""File and wire formats of profiles, each to and from Profile."""
