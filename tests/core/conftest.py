"""Properties are tried on the same examples every time, so that a failure here is a failure everywhere."""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, max_examples=150, deadline=None)
settings.load_profile("repeatable")
