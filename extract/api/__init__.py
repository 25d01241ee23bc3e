"""One page of the 42 API: authorisation, client, quota."""
