#!/usr/bin/env bash
# `ops/install.sh`: what a mirror needs, into .venv; `ops/install.sh dev`: what tests need too.
#
# Does nothing when it is there already. An environment of another folder or of a Python that is
# gone, and one whose installation was interrupted, is made anew. This project itself is not
# installed: it runs from its folder (python -m, bin/), wherever that is moved or copied.
set -euo pipefail
CDPATH='' cd -- "$(dirname -- "$0")/.."
here=$(pwd -P; echo .)
here=${here%$'\n.'}
unset PYTHONHOME PYTHONPATH PYTHONSAFEPATH PYTHONDONTWRITEBYTECODE
unset PIP_REQUIRE_VIRTUALENV PIP_TARGET PIP_PREFIX PIP_USER
FITS='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))'
# a distribution may package them apart; a Python built without a library's headers lacks its module
LACKS='import importlib
def lacks(name):
    try: importlib.import_module(name)
    except ImportError: return True
print(*filter(lacks, ("venv", "ensurepip", "ctypes", "ssl", "sqlite3")), sep=", ")'

fail() {
    echo "$2" >&2
    exit "$1"
}

sound() {
    [ -e .venv/.installed ] &&
        { grep -sqxF "# $here/.venv" .venv/bin/activate || grep -sqF "#!$here/.venv/" .venv/bin/pip; } &&
        .venv/bin/python -Ic "import pip; $FITS" 2>/dev/null &&
        # an earlier version installed itself, by its path: the first upgrade renews that
        { [ -L .venv/bin/psql ] || [ .venv/.installed -nt requirements.lock ]; }
}

install() { # FILE STAMP
    local all count=0 line said=.venv/pip.log
    all=$(grep -c == "$1")
    rm -f "$2"
    # no dependencies but those of the lock; no compiling of what is never imported
    .venv/bin/python -m pip install --disable-pip-version-check --no-deps --no-compile \
        --require-hashes --requirement "$1" 2>&1 | tee "$said" | while IFS= read -r line; do
        case $line in
            Collecting* | Ignoring* | Processing* | "Requirement already"*)
                count=$((count + 1))
                [ $((count % 25)) != 0 ] || echo "      $count of $all"
                ;;
            Installing*) echo "      unpacking" ;;
        esac
    done ||
        fail 1 "The installation failed: $(grep -v '^WARNING' "$said" | tail -n 3)
Run the command again when the cause is gone; pip's whole words are in $said."
    touch "$2"
}

find_python() { # sets python and version
    local seen= lacks
    [ -z "${PYTHON3:-}" ] || "$PYTHON3" -Ic "" 2>/dev/null || fail 2 "PYTHON3=$PYTHON3 is no Python \
that starts. Give the path of a Python 3.11 to 3.14, or leave it out."
    for python in ${PYTHON3:+"$PYTHON3"} python3.13 python3.12 python3.11 python3.14 python3 python; do
        version=$("$python" -Ic 'import platform; print(platform.python_version())' 2>/dev/null) || continue
        seen="$seen${seen:+, }$python is $version"
        if "$python" -Ic "$FITS"; then
            lacks=$("$python" -Ic "$LACKS") && [ -z "$lacks" ] && return
            seen="$seen without $lacks"
            case $lacks in *venv* | *ensurepip*)
                seen="$seen (Debian and Ubuntu: apt install python${version%.*}-venv)" ;;
            esac
        fi
        [ "$python" != "${PYTHON3:-}" ] || break
    done
    fail 2 "Python 3.11, 3.12, 3.13 or 3.14 with all its modules is needed; here ${seen:-is none}. \
Install one, or give its path: make setup PYTHON3=/path/to/python3"
}

# two at once would remove each other's .venv
if command -v flock >/dev/null; then
    exec 9<.
    # 1 says that it is held; anything else, that locks cannot be had on this file system
    flock -n 9 2>/dev/null || [ $? -ne 1 ] || { echo "Another installation is under way in this folder: waiting for it"; flock 9; }
fi
# what is half-made is made anew by the next command
trap 'fail 130 "Stopped. Run the command again to go on."' INT TERM HUP
if ! sound; then
    if [ -e .venv ] && ! [ -O .venv ] && [ "$(id -u)" != 0 ]; then
        fail 2 "$here/.venv is another user's, and you cannot use it: copy the folder, or become that user."
    fi
    case $here in *:*) fail 2 "The folder $here has a colon in its name, and Python makes no \
environment in such a folder. Rename it." ;; *$'\n'*) fail 2 "The folder $here has a line break in \
its name, which no crontab can hold. Rename it." ;; esac
    find_python
    echo "Installing into .venv with Python $version (once, about a minute)"
    echo "  1/3 a new environment"
    rm -rf .venv
    "$python" -m venv .venv || fail 1 "Python's venv failed: its own words are above."
    rm -f .venv/bin/activate.* .venv/bin/Activate.ps1
    { cat ops/activate.sh && echo "# $here/.venv"; } >.venv/bin/activate
    ln -s ../../bin/psql .venv/bin/psql
    cp ops/dbt.pth .venv/lib/python3*/site-packages/
fi
if ! [ .venv/.installed -nt requirements.lock ]; then
    echo "  2/3 dlt, dbt, PostgreSQL and what they need"
    install requirements.lock .venv/.unproven
    echo "  3/3 first start"
    .venv/bin/python -c 'import dbt.cli.main, dbt.adapters.postgres, extract.cli, ops.cli, sandbox.app
from ops.site.charts import vega; vega.bundle()'
    mv .venv/.unproven .venv/.installed
fi
if [ "${1:-}" = dev ] && ! [ .venv/.installed-dev -nt requirements-dev.lock ]; then
    echo "Installing what tests and development need too (once, about a minute)"
    install requirements-dev.lock .venv/.installed-dev
fi
