#!/usr/bin/env bash
# `make upgrade`: to the newest version, or to the one named (VERSION=v0.2.0). A backup first, the
# schedule waits meanwhile, and what went wrong is said with the way back.
set -euo pipefail
main() { # read whole before git replaces this file
    CDPATH='' cd -- "$(dirname -- "$0")/.."
    unset $(git rev-parse --local-env-vars) # GIT_DIR and the like would name another repository
    [ -e .git ] || no_checkout
    top=$(git rev-parse --show-toplevel 2>&1) || fail "git refuses this folder: $top
Run the command as the owner of the folder."
    [ "$top" = "$(pwd -P)" ] || no_checkout # a .git that is none: git goes on to the folder above
    [ -z "$(git status --porcelain --untracked-files=no)" ] || fail "Files of the project are changed \
here (git status): commit them or put them aside (git stash), then run the command again."
    ! kill -0 "$(head -n 1 .paused 2>/dev/null)" 2>/dev/null || fail "Another upgrade is at work here \
(process $(head -n 1 .paused)): wait for its end. If that process is none, remove the file .paused."
    said=$(git fetch --tags 2>&1) || fail "The versions there are cannot be fetched: $said
Nothing was changed; run the command again when the cause is gone."
    from=$(version)
    branch=$(git symbolic-ref --quiet --short HEAD) || branch=
    choose "${1:-}"
    if [ -n "$newest" ] && [ ! -e .paused ]; then
        echo "Nothing to do: this is $from, and $newest."
        return
    fi
    trap 'rm -f .paused' EXIT
    if [ -e .paused ]; then # one was stopped: the way back leads to before that
        before=$(sed -n 2p .paused)
        back=${before:-$back}
        trap stopped EXIT
    fi
    printf '%s\n' $$ "$back" >.paused # what reads it: ops/schedule/pause.py
    .venv/bin/python -m ops backup --keep "before-upgrade-$from"
    [ -n "$newest" ] || git "${move[@]}" || fail "git cannot put the new version here: its own words \
are above. Nothing was changed, and the backup stays; run the command again when the cause is gone."
    trap stopped EXIT
    ops/install.sh
    .venv/bin/python -m ops sync
    trap 'rm -f .paused' EXIT
    echo "Upgraded from $from to $(version). CHANGELOG.md says what changed."
}
choose() { # sets move (what git does), back (what undoes it), newest (why there is nothing to do)
    local target tag=$1 tags
    newest=
    if [ -z "$tag" ] && [ -n "$branch" ]; then
        target=$(git rev-parse --quiet --verify '@{upstream}^{commit}') || fail "The branch $branch \
follows no branch of another repository. Name the version (VERSION=v0.2.0), or the branch: git branch \
--set-upstream-to=origin/main"
        move=(merge --quiet --ff-only "$target")
        back="git reset --keep $(git rev-parse --short HEAD)"
        if git merge-base --is-ancestor "$target" HEAD; then
            newest="the branch $branch has nothing newer"
        elif ! git merge-base --is-ancestor HEAD "$target"; then
            fail "The branch $branch has commits that $(git rev-parse --abbrev-ref '@{upstream}') has \
not. Bring the two together (git rebase), then run the command again."
        fi
        return
    fi
    if [ -z "$tag" ]; then # from one tag to another; release candidates only by their names
        tag=$(git tag --list --sort=version:refname | grep -E '^v[0-9]+(\.[0-9]+)*$' | tail -n 1) ||
            fail "No commit is tagged as a version here, and no branch is checked out. Check out the \
branch to follow (git checkout main), then run the command again."
        ! git merge-base --is-ancestor "refs/tags/$tag" HEAD ||
            newest="the newest version is $tag (to follow a branch: git checkout main)"
    fi
    tags=$(git tag --list 'v[0-9]*' --sort=version:refname | paste -sd ' ')
    target=$(git rev-parse --quiet --verify "refs/tags/$tag^{commit}") ||
        fail "There is no version $tag. There are: ${tags:-none}."
    move=(checkout --quiet --detach "refs/tags/$tag")
    back="git checkout ${branch:-$(git rev-parse --short HEAD)}"
    [ "$target" != "$(git rev-parse HEAD)" ] || newest=${newest:-"that is the version named"}
}
version() {
    git describe --tags --always --match 'v[0-9]*'
}
stopped() {
    touch .paused
    echo "The upgrade stopped, and the schedule waits: for six hours, then it goes on with the version \
that is here now. Mend what is above and run make upgrade again, or go back: $back && make sync && rm \
.paused. docs/upgrade.md says how the backup is brought back." >&2
}
no_checkout() {
    fail "This folder is no git checkout: unpack the new version over it after \`make backup\`, then \
run \`make sync\`."
}
fail() {
    echo "$1" >&2
    exit 2
}
main "$@"
exit
