"""The model-driven framework: one operation call, from request to reply."""
