"""What is read of the 42 API: columns, keys, endpoints."""
