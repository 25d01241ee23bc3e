"""The people, and their names."""
