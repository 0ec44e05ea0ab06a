"""Who a client of a secured broker is, and what it may do."""
