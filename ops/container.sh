#!/bin/sh
# The image's entry point: `container.sh sync --mode live` runs `python -m ops sync --mode live`.
#
# A secret may come as a file: NAME_FILE=/run/secrets/name sets NAME to what is in it, and wins over
# NAME itself. So it is neither in the compose file nor in `docker inspect`.
set -eu
for name in PGPASSWORD FORTYTWO_CLIENT_ID FORTYTWO_CLIENT_SECRET FORTYTWO_CLIENT_SECRET_NEXT \
    WEBHOOK_URL HEARTBEAT_URL; do
    eval "file=\${${name}_FILE:-}"
    if [ -n "$file" ]; then
        [ -r "$file" ] || { echo "${name}_FILE names $file, which cannot be read." >&2; exit 2; }
        export "$name=$(cat "$file")"
        unset "${name}_FILE"
    fi
done
CDPATH='' cd -- "$(dirname -- "$0")/.."
exec "${PYTHON:-.venv/bin/python}" -m ops "$@"
