"""A complete listing: reading it, caching it, holding it to its columns."""
