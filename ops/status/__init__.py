"""How the mirror is: status, summary, metrics, webhook."""
