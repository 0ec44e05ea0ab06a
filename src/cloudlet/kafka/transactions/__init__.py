"""The transaction coordinator: producers by name, and what they commit as one."""
