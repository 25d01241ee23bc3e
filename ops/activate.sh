# `. .venv/bin/activate` in sh, bash, zsh or ksh: dbt, psql and the environment's programs by name,
# until `deactivate`. It finds its folder by itself, so that a moved or copied one is its own.
deactivate() {
    if [ -n "${_OLD_PATH+set}" ]; then PATH=$_OLD_PATH; fi
    if [ -n "${_OLD_PS1+set}" ]; then PS1=$_OLD_PS1; fi
    unset VIRTUAL_ENV VIRTUAL_ENV_PROMPT _OLD_PATH _OLD_PS1
    hash -r 2>/dev/null
    if [ "${1:-}" != again ]; then unset -f deactivate; fi
}
deactivate again
if [ -n "${BASH_VERSION:-}" ]; then
    VIRTUAL_ENV=${BASH_SOURCE[0]}
elif [ -n "${ZSH_VERSION:-}" ]; then
    eval 'VIRTUAL_ENV=${(%):-%x}'
else # sh says nobody's name: call it at the folder's root
    VIRTUAL_ENV=.venv/bin/activate
fi
VIRTUAL_ENV=$(CDPATH='' cd -- "$(dirname -- "$VIRTUAL_ENV")/.." && pwd -P)
if [ -n "$VIRTUAL_ENV" ]; then
    _OLD_PATH=$PATH
    # bin/ first: its dbt reads .env and starts the embedded server, then is dbt-core's own
    PATH=$(dirname -- "$VIRTUAL_ENV")/bin:$VIRTUAL_ENV/bin:$PATH
    VIRTUAL_ENV_PROMPT=fortytwo-mirror
    export PATH VIRTUAL_ENV VIRTUAL_ENV_PROMPT
    if [ -n "${PS1:-}" ] && [ -z "${VIRTUAL_ENV_DISABLE_PROMPT:-}" ]; then
        _OLD_PS1=$PS1 PS1="($VIRTUAL_ENV_PROMPT) $PS1"
    fi
    hash -r 2>/dev/null
fi
