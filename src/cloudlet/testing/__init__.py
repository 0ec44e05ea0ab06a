"""The pytest plugin, for users."""
