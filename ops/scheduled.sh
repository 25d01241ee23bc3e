#!/bin/sh
# A line of the crontab: `scheduled.sh 01:00 full` does the job at 01:00 UTC and nothing at other
# times; `scheduled.sh - live` does it at every call.
#
# cron's hours are in the machine's time zone, and only some crons know CRON_TZ. So cron calls this
# every quarter of an hour, which is the same moment in every zone, and UTC is asked here.
set -u
minutes() {
    hour=${1%:*} minute=${1#*:}
    echo $((${hour#0} * 60 + ${minute#0}))
}
if [ "$1" != - ]; then
    late=$((($(minutes "$(date -u +%H:%M)") - $(minutes "$1") + 1440) % 1440))
    [ "$late" -lt 15 ] || exit 0
fi
shift
umask 077
CDPATH='' cd -- "$(dirname -- "$0")/.." || exit 1
# an upgrade is at work; one that was killed is not waited for (ops/schedule/pause.py says it)
[ -z "$(find . -maxdepth 1 -name .paused -mmin -360)" ] || exit 0
export LANG=C.UTF-8 PATH="$PATH:/usr/local/bin:/usr/bin:/bin"
unset LC_ALL
exec "${PYTHON:-.venv/bin/python}" -m ops scheduled "$@"
