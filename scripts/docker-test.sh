#!/usr/bin/env bash
# Tries the image and the compose file on a real Docker engine: two sites on this machine, an outage, its repair, worker
# hand-over, restarts. Takes some minutes, prints PASS and FAIL lines, removes what it made. Not part of the tests.
#   scripts/docker-test.sh          KEEP=1 leaves everything running and says where
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

export VM_SYNC_IMAGE=vm-sync:docker-test COMPOSE_PROGRESS=quiet
OUR_SERVICES='vm-sync worker dashboard'
# The sites reach each other as in real life, by a port of the host: this address is the host as containers see it.
HOST=$(docker network inspect bridge --format '{{(index .IPAM.Config 0).Gateway}}') || exit 1
declare -A VM_PORT=([primary]=18428 [dr]=28428) DASHBOARD_PORT=([primary]=13000 [dr]=23000)

failures=0
passed() { printf 'PASS  %s\n' "$*"; }
failed() {
  failures=$((failures + 1))
  printf 'FAIL  %s\n' "$*"
}

# expect TEXT COMMAND...
expect() {
  local text=$1
  shift
  if "$@" >"$tmp/said" 2>&1; then passed "$text"; else
    failed "$text"
    tail -n 15 "$tmp/said" | sed 's/^/      /'
  fi
}

not() { ! "$@"; }

# within SECONDS TEXT COMMAND...: tries again until it succeeds
within() {
  local seconds=$1 text=$2 began=$SECONDS
  shift 2
  until "$@" >"$tmp/said" 2>&1; do
    if ((SECONDS - began >= seconds)); then
      failed "$text (not within $seconds s)"
      tail -n 15 "$tmp/said" | sed 's/^/      /'
      return 1
    fi
    sleep 0.5
  done
  passed "$text (after $((SECONDS - began)) s)"
}

# at SITE ARGUMENTS...: docker compose in that site's folder
at() {
  local site=$1
  shift
  docker compose --project-name "vm-sync-test-$site" --project-directory "$tmp/$site" "$@"
}

vm_url() { echo "http://$HOST:${VM_PORT[$1]}"; }
state_file() { echo "$tmp/$1/data/vm-sync/vm-sync-state.json"; }
state() { sed -n "s/^  \"$2\": \(.*[^,]\),\{0,1\}\$/\1/p" "$(state_file "$1")"; }

# ---------------------------------------------------------------------------------- making and removing the two sites

tmp=$(mktemp -d "${TMPDIR:-/tmp}/vm-sync-docker-test.XXXXXX")

clean_up() {
  if [ -n "${KEEP:-}" ]; then
    echo "kept: $tmp, projects vm-sync-test-primary and vm-sync-test-dr"
    return
  fi
  local site
  for site in primary dr; do
    [ ! -e "$tmp/$site/.env" ] || at "$site" down --volumes --remove-orphans --timeout 10 >/dev/null 2>&1
  done
  # The databases' files belong to the users of their containers.
  ! docker image inspect "$VM_SYNC_IMAGE" >/dev/null 2>&1 ||
    docker run --rm --user 0 --volume "$tmp:/made" --entrypoint find "$VM_SYNC_IMAGE" /made -mindepth 1 -delete
  rm -rf "$tmp"
  docker image rm "$VM_SYNC_IMAGE" >/dev/null 2>&1
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# What a checkout would hold: no node_modules, no dist, no .env
copy_tree() {
  mkdir "$1"
  git ls-files --cached --others --exclude-standard -z | while IFS= read -r -d '' file; do
    [ ! -e "$file" ] || printf '%s\0' "$file"
  done | tar --null --files-from=- --create | tar --extract --directory "$1"
}

# set_value FILE NAME VALUE: also where the template has it commented out
set_value() {
  sed -i "s|^#\{0,1\}$2=.*|$2=$3|" "$1"
  grep -q "^$2=" "$1" || failed "the template has no $2"
}

make_site() {
  local site=$1 other=$2 env=$tmp/$1/.env
  expect "$site: setup.sh" "$tmp/$site/setup.sh" "$site"
  expect "$site: docker compose config with the .env of setup.sh" at "$site" config --quiet
  expect "$site: unedited settings are refused" not_started "$site"
  set_value "$env" REMOTE_VM_URL "$(vm_url "$other")"
  set_value "$env" ACTIVE_SITE primary
  sed -i '/CHANGE_ME$/d' "$env"
  set_value "$env" CHECK_INTERVAL 5
  set_value "$env" QUERY_WINDOW 1h
  set_value "$env" QUERY_STEP 60
  set_value "$env" SETTLE_SECONDS 60
  set_value "$env" VM_BIND "$HOST"
  set_value "$env" VM_PORT "${VM_PORT[$site]}"
  set_value "$env" DASHBOARD_PORT "${DASHBOARD_PORT[$site]}"
  # Where the user of this script is neither root nor uid 1000
  docker run --rm --user 0 --volume "$tmp/$site/data/vm-sync:/state" --entrypoint chown "$VM_SYNC_IMAGE" 1000:1000 /state
}

# Also removes the network that the try made.
not_started() {
  at "$1" run --rm --no-deps -T vm-sync check
  local code=$?
  at "$1" down
  [ "$code" = 2 ]
}

healthy() { # SITE COUNT
  local states
  states=$(at "$1" ps --all --quiet | xargs docker inspect --format '{{.Name}} {{.State.Health.Status}}') || return 1
  echo "$states"
  [ "$(grep -c ' healthy$' <<<"$states")" = "$2" ] && [ "$(wc -l <<<"$states")" = "$2" ]
}

# ------------------------------------------------------------------------------------------------------------ samples

SERIES=50

# write_samples SITE METRIC FROM TO: one sample a minute, from and to in minutes ago
write_samples() {
  local minute=$(($(date +%s) / 60))
  awk -v metric="$2" -v series="$SERIES" -v from=$((minute - $3)) -v to=$((minute - $4)) 'BEGIN {
    for (at = from; at < to; at++) for (host = 1; host <= series; host++)
      printf "%s{host=\"h%d\"} %d %.0f\n", metric, host, at % 1000 + host, at * 60000
  }' | curl -sSf --data-binary @- "$(vm_url "$1")/api/v1/import/prometheus"
}

# One line a sample, in one order
export_samples() {
  # grep takes the heading off that newer versions send
  curl -sSf "$(vm_url "$1")/api/v1/export/csv" --data-urlencode 'match[]={__name__=~"docker_test_.+"}' \
    --data-urlencode 'format=__name__,host,__timestamp__:unix_ms,__value__' | grep ^docker_test_ | sort
}

same_samples() { # COUNT
  export_samples primary >"$tmp/primary.csv"
  export_samples dr >"$tmp/dr.csv"
  wc -l "$tmp/primary.csv" "$tmp/dr.csv"
  [ "$(wc -l <"$tmp/primary.csv")" = "$1" ] && cmp "$tmp/primary.csv" "$tmp/dr.csv"
}

# Clean, and with checks made after what was just written: nothing of before counts.
ready_after() { # SITE TIME
  cat "$(state_file "$1")" | head -9
  [ "$(state "$1" failback_ready)" = true ] && [ "$(state "$1" gaps_detected)" = 0 ] &&
    [[ $(state "$1" last_check) > "\"$2" ]]
}

checked_after() { [[ $(state "$1" last_check) > "\"$2" ]]; }
now() { date -u +%Y-%m-%dT%H:%M:%S.%3NZ; }

# -------------------------------------------------------------------------------------------------- queues, containers

redis() { at primary exec -T redis redis-cli "$@" | tr -d '\r'; }
# Waiting chunks: with and without a priority
chunks_waiting() { echo $(($(redis llen '{vmsync}:repairs:wait') + $(redis zcard '{vmsync}:repairs:prioritized'))); }
chunks_active() { redis llen '{vmsync}:repairs:active'; }
some_waiting() { [ "$(chunks_waiting)" -gt 0 ]; }
some_active() { [ "$(chunks_active)" -gt 0 ]; }

# What every container is denied, as Docker was told, and as the kernel says of its first process.
is_confined() { # SERVICE UID CAPABILITIES_IT_HAS CAPABILITIES_IT_COULD_HAVE
  local id told said
  id=$(at primary ps --quiet "$1" | head -1)
  told=$(docker inspect --format '{{with .HostConfig}}{{.ReadonlyRootfs}} {{.CapDrop}} {{.SecurityOpt}} {{.Privileged}} {{.PidsLimit}}{{end}}' "$id")
  said=$(docker exec "$id" cat /proc/1/status /proc/1/limits | awk '
    /^Uid:/ { uid = $2 "," $3 "," $4 "," $5 } /^CapEff:/ { has = $2 } /^CapBnd:/ { could = $2 }
    /^NoNewPrivs:/ { locked = $2 } /^Max core file size/ { core = $5 "/" $6 }
    END { print uid, has, could, locked, core }')
  printf '%s\n%s\n' "$told" "$said"
  [ "$told" = 'true [ALL] [no-new-privileges:true] false 512' ] &&
    [ "$said" = "$2,$2,$2,$2 $(printf '%016x %016x' "$3" "$4") 1 0/0" ]
}

# Mounts that can be written, but for those that every container has (without a file of anybody's), and folders that let a
# file be made.
writes_only() { # SERVICE PATH...
  local id found
  id=$(at primary ps --quiet "$1" | head -1)
  found=$(docker exec "$id" sh -c '
    awk "\$4 ~ /^rw/ { print \$2 }" /proc/mounts | grep -vxE "/proc(/.*)?|/dev|/dev/(pts|mqueue|shm)|/sys/fs/cgroup" | sort | tr "\n" " "
    for folder in / /app /bin /etc /home /root /usr /var; do
      [ ! -d "$folder" ] || ! touch "$folder/probe" 2>/dev/null || echo "$folder "
    done')
  echo "$found"
  [ "$found" = "$(printf '%s ' "${@:2}")" ]
}

# Nobody but root reads the environment of another user's process; its arguments everybody.
secret_is_no_argument() { # NAME
  local secret
  secret=$(sed -n "s/^$1=//p" "$tmp/primary/.env")
  [ "${#secret}" = 48 ] && not grep -qzF "$secret" /proc/[0-9]*/cmdline
}

redis_without_password() { # SITE
  docker exec --env REDISCLI_AUTH= "$(at "$1" ps --quiet redis)" redis-cli ping
}

node_has_flag() { # FLAG
  local service
  for service in $OUR_SERVICES; do
    at primary top "$service" | tee /dev/stderr | grep -q -- "node $1 -- /app/dist/main.js" || return
  done
}

is_not_published() { not grep HostPort <(at primary ps --quiet "$1" | xargs docker inspect --format '{{json .NetworkSettings.Ports}}'); }

code_is() { [ "$(curl -s -o /dev/null -w '%{http_code}' "${@:2}")" = "$1" ]; }

login_works() {
  local password url=http://127.0.0.1:${DASHBOARD_PORT[primary]}
  password=$(sed -n 's/^DASHBOARD_PASSWORD=//p' "$tmp/primary/.env")
  code_is 401 "$url/" && code_is 200 "$url/healthz" && code_is 200 --user "admin:$password" "$url/" &&
    code_is 200 --user "admin:$password" "$url/queues"
}

session_works() {
  local password jar=$tmp/cookies url=http://127.0.0.1:${DASHBOARD_PORT[primary]}
  password=$(sed -n 's/^DASHBOARD_PASSWORD=//p' "$tmp/primary/.env")
  code_is 303 --cookie-jar "$jar" --data user=admin --data "password=$password" "$url/login" &&
    code_is 200 --cookie "$jar" "$url/" && code_is 303 --cookie "$jar" --request POST "$url/logout" &&
    code_is 401 --cookie "$jar" "$url/"
}

image_lacks() { # PATTERN
  # shellcheck disable=SC2016
  not docker run --rm --entrypoint sh "$VM_SYNC_IMAGE" -c 'find /app -path "$1" | grep .' sh "$1"
}

# ------------------------------------------------------------------------------------------------------------ the test

copy_tree "$tmp/primary"
cp -R "$tmp/primary" "$tmp/dr"
cp "$tmp/primary/.env.primary" "$tmp/primary/.env" # compose wants one before it builds
began=$SECONDS
if ! at primary build >"$tmp/build.log" 2>&1; then
  tail -n 30 "$tmp/build.log"
  failed 'docker compose build'
  exit 1
fi
rm "$tmp/primary/.env"
passed "docker compose build (after $((SECONDS - began)) s, $(docker image inspect "$VM_SYNC_IMAGE" --format '{{.Size}}' | awk '{printf "%d MB", $1 / 1e6}'))"
for pattern in '*testkit*' '*node-linux-*' '*/typescript/*' '*.env*'; do
  expect "the image holds no $pattern" image_lacks "$pattern"
done
expect 'the image has no pnpm' not docker run --rm --entrypoint pnpm "$VM_SYNC_IMAGE" --version

make_site primary dr
make_site dr primary
sed -i '/^REDIS_PASSWORD=/d' "$tmp/dr/.env" # as a site that was set up before there was one
for site in primary dr; do expect "$site: docker compose up -d" at "$site" up -d; done
for site in primary dr; do within 90 "$site: five services are healthy" healthy "$site" 5; done

for service in $OUR_SERVICES; do
  expect "$service: not root, read-only, no capabilities, no new privileges" is_confined "$service" 1000 0 0
done
expect 'redis: not root, none of the capabilities that it began with' is_confined redis 999 0 0xc3
expect 'victoriametrics: root with one capability, DAC_OVERRIDE' is_confined victoriametrics 0 0x2 0x2
expect 'vm-sync: writes nothing but its state and /tmp' writes_only vm-sync /app/data/vm-sync /tmp
for service in worker dashboard; do expect "$service: writes nothing but /tmp" writes_only "$service" /tmp; done
expect 'redis: writes nothing but its data' writes_only redis /data
expect 'victoriametrics: writes nothing but its data' writes_only victoriametrics /storage
for name in REDIS_PASSWORD DASHBOARD_PASSWORD; do
  expect "$name is no argument of a process" secret_is_no_argument "$name"
done
expect 'redis asks for its password' grep -q NOAUTH <(redis_without_password primary 2>&1)
expect "dr's redis, set up before there was one, asks for none" grep -qx PONG <(redis_without_password dr 2>&1)
expect 'node runs with a small young generation' node_has_flag --max-semi-space-size=4
expect 'dashboard: asks for a login, answers with it' login_works
expect 'dashboard: the login page opens a session' session_works
expect 'redis is not published' is_not_published redis

expect "primary alone gets $((SERIES * 40)) samples" write_samples primary docker_test_outage 50 10
within 120 'both databases export the same samples' same_samples $((SERIES * 40))
written=$(now)
for site in primary dr; do
  within 120 "$site: vm-sync ready, exit 0" at "$site" exec -T vm-sync vm-sync ready
  within 120 "$site: the state file says failback_ready" ready_after "$site" "$written"
done
for site in primary dr; do printf '      %s: samples_synced %s\n' "$site" "$(state "$site" samples_synced)"; done

# ---- a worker that is stopped hands its chunk back; dr's own stack keeps out of it
expect 'docker compose up -d --scale worker=3' at primary up -d --scale worker=3
within 60 'seven containers are healthy' healthy primary 7
expect "dr's scheduler and worker are stopped" at dr stop vm-sync worker
expect 'three workers are stopped' at primary stop worker
expect "primary alone gets $((SERIES * 20)) samples" write_samples primary docker_test_handover 40 20
within 60 'chunks wait' some_waiting
waiting=$(chunks_waiting)
expect "dr's database hangs" at dr pause victoriametrics
expect 'the workers are started' at primary start worker
within 30 'a chunk is being copied' some_active
sleep 2
began=$(date +%s%3N)
expect 'docker compose stop worker' at primary stop worker
took=$(($(date +%s%3N) - began))
expect "stopping the busy worker(s) took $took ms, less than 10 s" test "$took" -lt 10000
after=$(chunks_waiting),$(chunks_active)
expect "the chunks are handed back: $waiting waited before, now waiting,active = $after" test "$after" = "$waiting,0"
at primary logs --no-log-prefix --since 60s worker | grep -E 'stopping|handed back' | sed 's/^.*"time"/      "time"/'
expect "dr's database goes on" at dr unpause victoriametrics
expect 'the workers are started' at primary start worker
within 120 'both databases export the same samples' same_samples $((SERIES * 60))
within 120 'primary: the state file says failback_ready' ready_after primary "$(now)"
expect "dr's scheduler and worker are started" at dr start vm-sync worker

# ---- restarts
scheduler=$(at primary ps --quiet vm-sync)
expect 'scheduler and Redis are stopped' at primary stop vm-sync redis
expect 'the scheduler starts before Redis' docker start "$scheduler"
sleep 8
expect 'it waits and does not crash' test \
  "$(docker inspect --format '{{.State.Status}} {{.RestartCount}}' "$scheduler")" = 'running 0'
written=$(now)
expect 'Redis starts' at primary start redis
within 60 'the scheduler checks again' checked_after primary "$written"

set_value "$tmp/primary/.env" CHECK_INTERVAL 15m
written=$(now)
expect 'a check every 15 minutes' at primary up -d --scale worker=3
within 60 'the first of these checks' checked_after primary "$written"
sleep 10
written=$(now)
expect 'docker compose restart vm-sync' at primary restart vm-sync
within 20 'a check at once' checked_after primary "$written"

# ---- logs
log_is_clean() { not grep -E '"level":"(error|fatal)"' <(at "$1" logs --no-log-prefix $OUR_SERVICES); }
for site in primary dr; do expect "$site: no error in the logs" log_is_clean "$site"; done
no_secret() { not grep -qFf <(sed -n 's/^[A-Z]*_PASSWORD=//p' "$tmp/$1/.env") <(at "$1" logs); }
for site in primary dr; do expect "$site: no password in the logs" no_secret "$site"; done

# ---- the end
if [ -z "${KEEP:-}" ]; then
  for site in primary dr; do expect "$site: docker compose down -v" at "$site" down --volumes; done
  left() { docker ps --all --format '{{.Names}}' | grep '^vm-sync-test-' || docker volume ls --quiet | grep '^vm-sync-test-'; }
  expect 'nothing is left' not left
fi
echo "$failures failed"
[ "$failures" = 0 ]
