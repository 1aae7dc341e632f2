"""Settings of all property tests."""

from hypothesis import settings

# No deadline: a busy machine is no failure of the code.
settings.register_profile("pyrometer", deadline=None, max_examples=100)
settings.load_profile("pyrometer")
