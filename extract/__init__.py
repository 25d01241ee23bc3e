"""42 API -> PostgreSQL schema ``raw``: HTTP client, complete listings, dlt pipeline."""

import os

# Arrow's own allocator keeps what it once had; a mirror beside a small server gives it back
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
# dlt starts its telemetry while it is imported: what is configured later comes too late
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
# this machine is reached without a proxy, whatever proxy the environment names
LOOPBACK = "localhost,127.0.0.0/8,::1"
_direct = os.environ.get("no_proxy") or os.environ.get("NO_PROXY", "")
if LOOPBACK not in _direct:
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = f"{_direct},{LOOPBACK}".lstrip(",")
