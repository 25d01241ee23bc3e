"""The pages in `site/`: overview, status, data dictionary and handbook; static, no requests."""
