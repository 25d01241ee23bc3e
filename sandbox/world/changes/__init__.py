"""How the network lives on."""
