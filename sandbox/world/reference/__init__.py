"""Campuses, cursus, projects, achievements, coalitions, titles."""
