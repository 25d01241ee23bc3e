"""When the jobs run, and running them."""
