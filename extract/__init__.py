"""42 API -> PostgreSQL schema ``raw``: HTTP client, complete listings, dlt pipeline."""

import os

# Arrow's own allocator keeps what it once had; a mirror beside a small server gives it back
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
# dlt starts its telemetry while it is imported: what is configured later comes too late
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
