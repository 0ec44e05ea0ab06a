"""One folder per AWS service: only what its operations mean."""
