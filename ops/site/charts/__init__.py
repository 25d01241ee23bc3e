"""Vega-Lite charts: the library itself, the frame that they share, those of the status page."""
