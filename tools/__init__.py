"""Development steps: generated pages and pins. Not part of the install."""
