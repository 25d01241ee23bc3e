"""The invented network: everything the API can be asked about."""
