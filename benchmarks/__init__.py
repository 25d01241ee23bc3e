"""Speed, memory and scale, each beside a floor or a peer: `python -m benchmarks --help`."""
