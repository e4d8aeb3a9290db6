#!/usr/bin/env bash
# Runs a command when a site is proven complete, and only then.
set -euo pipefail

usage() {
  cat >&2 <<'TEXT'
usage: scripts/failback.sh [-w SECONDS] primary|dr URL[,URL...] -- COMMAND [ARGUMENT...]

Asks URL/parity/SITE of one vm-sync dashboard, or of both sites' dashboards. When every answer is 200, COMMAND is run
and its exit code is this script's. Otherwise nothing is run: exit 1 not proven, 2 could not find out or wrong usage.
  -w SECONDS    go on asking for so long, every two seconds (0: ask once)
Where /parity asks for a login, VMSYNC_TOKEN is sent as a bearer token (DASHBOARD_VIEWER_TOKEN of the dashboards).
TEXT
  exit 2
}

wait_s=0
while getopts :w: option; do
  case $option in
    w) wait_s=$OPTARG ;;
    *) usage ;;
  esac
done
shift $((OPTIND - 1))
[[ $wait_s =~ ^[0-9]+$ && $# -ge 4 && $1 =~ ^(primary|dr)$ && $3 = -- ]] || usage
site=$1
IFS=, read -ra urls <<<"$2"
shift 3
command -v curl >/dev/null || { echo "failback: curl is missing; install it" >&2; exit 2; }

# The token goes by standard input: every user of this machine sees a program's arguments.
fetch() {
  local login=
  [ -z "${VMSYNC_TOKEN:-}" ] || login="header = \"Authorization: Bearer $VMSYNC_TOKEN\""
  curl --silent --show-error --max-time 10 --write-out '\n%{http_code}' --config - "$1" 2>&1 <<<"$login"
}

# Sets `verdict` (exit code) and `why`. Only a plain 200 of every dashboard is a yes.
ask_all() {
  local url answer status
  verdict=0
  for url in "${urls[@]}"; do
    answer=$(fetch "${url%/}/parity/$site") || true
    status=${answer##*$'\n'}
    [ "$status" != 200 ] || continue
    # A substitution drops the newlines at the end.
    why="$url: $(printf %s "${answer%$'\n'*}")"
    case $status in
      503) verdict=1 ;;
      000) verdict=2 ;;
      *) verdict=2 why="$why (HTTP $status)" ;;
    esac
    return 0
  done
}

give_up_s=$((SECONDS + wait_s))
while ask_all && [ "$verdict" != 0 ]; do
  if ((SECONDS >= give_up_s)); then
    echo "failback: not run: $why" >&2
    exit "$verdict"
  fi
  sleep 2
done
echo "failback: $site is proven complete; running: $*" >&2
exec "$@"
