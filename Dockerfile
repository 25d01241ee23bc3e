# The mirror as a container: the same image runs the schedule and single commands, as a normal user.
#   docker build -t fortytwo-mirror .
#   docker run --rm --env-file .env -e PGHOST=… fortytwo-mirror sync --mode live
# A container has a database elsewhere (docker-compose.yml brings one); what it keeps is in
# /app/.local (state, logs, backups) and /app/site (the pages): make both volumes.

FROM python:3.13-slim-bookworm AS build
WORKDIR /app
# What a mirror needs first, tests and tools not at all: a change of the code installs nothing again.
COPY requirements.lock ./
RUN python -m venv .venv \
    && .venv/bin/pip install -qq --no-cache-dir --no-deps --no-compile --require-hashes -r requirements.lock
COPY . .
RUN .venv/bin/python -c "import dbt.cli.main, dbt.adapters.postgres, extract.cli, ops.cli, sandbox.app" \
    && .venv/bin/python -c "from ops.site.charts import vega; vega.bundle()"

FROM python:3.13-slim-bookworm
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin fortytwo \
    && mkdir -p /app/.local /app/site && chown fortytwo: /app/.local /app/site
COPY --from=build /app /app
WORKDIR /app
ENV HOME=/tmp \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    XDG_STATE_HOME=/app/.local/state
USER 10001
VOLUME ["/app/.local", "/app/site"]
ENTRYPOINT ["/app/ops/container.sh"]
CMD ["scheduler"]
