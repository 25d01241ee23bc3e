"""A local server that speaks the 42 API v2 dialect over invented people."""
