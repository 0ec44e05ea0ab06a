"""Wires the rest together: sockets, processes and signals live here."""
