"""Share groups (KIP-932): consumers that share partitions, and acknowledge record by record."""
