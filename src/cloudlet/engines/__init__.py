"""The stores' ports on disk and on real systems, all under one contract test."""
