"""42 API -> PostgreSQL schema ``raw``: HTTP client, complete walks, dlt pipeline."""
