"""What can go wrong between a client and the API, on request."""
