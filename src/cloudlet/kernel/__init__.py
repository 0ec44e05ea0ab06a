"""The three stores as ports with in-memory references, the clock, ids, faults and settings."""
