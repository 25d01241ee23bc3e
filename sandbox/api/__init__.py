"""How the 42 API answers: tokens, limits, addresses, the query language, pages, errors."""
