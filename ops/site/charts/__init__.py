"""Vega-Lite charts: the library with their specifications, and those of the status page."""
