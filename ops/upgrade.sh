#!/usr/bin/env bash
# `make upgrade`: to the newest version, or to the one named (VERSION=v0.2.0). A backup first, the
# schedule waits meanwhile, and what went wrong is said with the way back.
set -euo pipefail
main() { # read whole before git replaces this file
    cd "$(dirname "$0")/.."
    git rev-parse --git-dir >/dev/null 2>&1 || fail "This folder is no git checkout: unpack the new \
version over it after \`make backup\`, then run \`make sync\`."
    [ -z "$(git status --porcelain --untracked-files=no)" ] || fail "Files of the project are changed \
here (git status): commit them or put them aside (git stash), then run the command again."
    before=$(git rev-parse --short HEAD)
    touch .paused # ops/scheduled.sh waits for six hours at most
    trap 'rm -f .paused' EXIT
    .venv/bin/python -m ops backup
    trap 'rm -f .paused; echo "The upgrade stopped. Back: git checkout $before && make sync; \
docs/upgrade.md says how the backup is brought back." >&2' ERR
    git fetch --quiet --tags
    if [ -z "${VERSION:-}" ] && git symbolic-ref --quiet HEAD >/dev/null; then
        git pull --quiet --ff-only
    else # from one tag to another
        git checkout --quiet "${VERSION:-$(git tag --sort=-version:refname | head -n 1)}"
    fi
    ops/install.sh
    .venv/bin/python -m ops sync
    trap 'rm -f .paused' EXIT
    echo "Upgraded from $before to $(git describe --tags --always). CHANGELOG.md says what changed."
}
fail() {
    echo "$1" >&2
    exit 2
}
main "$@"
exit
