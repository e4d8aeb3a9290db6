#!/usr/bin/env bash
# Prepares a site, runs every test, or shows the demo. `./setup.sh` alone prints the usage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export TURBO_TELEMETRY_DISABLED=1 DO_NOT_TRACK=1

usage() {
  cat >&2 <<'TEXT'
usage: ./setup.sh primary|dr     prepare this machine as a site: .env with generated secrets, data folders
       ./setup.sh test           install what the tests need and run everything (build, types, lint, tests)
       ./setup.sh demo [--exit]  two databases, an outage and its repair on this machine; --exit ends it by itself
TEXT
  exit 2
}

say() { printf 'setup: %s\n' "$*"; }
die() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}

# ------------------------------------------------------------------------------------- a site

prepare_site() {
  local template=.env.$1
  [ ! -e .env ] || die ".env exists already and is left as it is." \
    "To begin anew, move it away (mv .env .env.old) and run ./setup.sh $1 again."
  [ -r "$template" ] || die "$template is missing; restore it (git checkout -- $template) and try again."
  make_data_folders "$1"
  write_env "$template"
  say ".env written from $template (readable by you alone)."
  tell_what_to_edit
  say "dashboard login: user $(value_of DASHBOARD_USER), its password stands in .env (DASHBOARD_PASSWORD)."
  cat <<'TEXT'

Next:
  vim .env
  docker compose build
  docker compose up -d
TEXT
}

make_data_folders() {
  local state=data/vm-sync secrets=data/secrets
  mkdir -p data/victoriametrics data/redis "$state" "$secrets" ||
    die "could not make data/; run as a user who may write here, then ./setup.sh $1 again."
  # The containers of vm-sync run as uid 1000.
  chown 1000:1000 "$state" 2>/dev/null || [ "$(stat -c %u "$state")" = 1000 ] ||
    say "vm-sync's containers (uid 1000) must be able to write $state; run: sudo chown 1000:1000 $state"
  # What lies there is for them alone.
  if chown 1000:1000 "$secrets" 2>/dev/null || [ "$(stat -c %u "$secrets")" = 1000 ]; then chmod 700 "$secrets"; fi
}

# A template's line NAME=__GENERATE__, or an empty DASHBOARD_PASSWORD, gets a secret of its own.
write_env() {
  local line secret
  draft=$(umask 077 && mktemp .env.XXXXXX)
  trap 'rm -f "$draft"' EXIT
  while IFS= read -r line || [ -n "$line" ]; do
    if [[ $line =~ ^([A-Z_][A-Z0-9_]*)=__GENERATE__[[:space:]]*$ || $line =~ ^(DASHBOARD_PASSWORD)=[[:space:]]*$ ]]; then
      secret=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
      [ "${#secret}" = 48 ] || die "could not read /dev/urandom; nothing was written. Set the secrets by hand: cp $1 .env"
      line=${BASH_REMATCH[1]}=$secret
    fi
    printf '%s\n' "$line"
  done <"$1" >"$draft"
  chmod 600 "$draft"
  # ln refuses when .env came into being meanwhile, mv would overwrite it
  ln "$draft" .env || die ".env could not be made; see the message above, then run ./setup.sh again."
  rm -f "$draft"
  trap - EXIT
}

value_of() { sed -n "s/^$1=//p" .env | tail -n 1; }

tell_what_to_edit() {
  local names
  names=$(sed -n 's/^\([A-Z_][A-Z0-9_]*\)=.*CHANGE_ME.*/  \1/p' .env)
  [ -n "$names" ] || return 0
  say "still to be edited in .env:"
  printf '%s\n' "$names"
}

# ------------------------------------------------------------------------- tests and the demo

cache=.cache
vm_new=$cache/victoria-metrics-new
pnpm=$(sed -n 's/.*"packageManager": *"\(pnpm@[0-9.]*\).*/\1/p' package.json)

have() { PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$1" >/dev/null; }
run_pnpm() { npm_config_update_notifier=false npx --yes "$pnpm" "$@"; }

need_node() {
  local hint="Install Node.js 20 or newer with npm (any way you like, such as https://nodejs.org), then try again."
  { have node && have npx; } || die "node and npx are missing." "$hint"
  [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || die "Node $(node -v) is too old." "$hint"
}

# need_packages COMMAND:PACKAGE...   installs the Debian packages whose commands are missing
need_packages() {
  local pair missing=() as_root=()
  for pair; do
    have "${pair%%:*}" || [[ " ${missing[*]} " == *" ${pair#*:} "* ]] || missing+=("${pair#*:}")
  done
  [ -s /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
  [ ${#missing[@]} -gt 0 ] || return 0
  local hint="Install these Debian packages by hand, then try again: ${missing[*]}"
  have apt-get || die "this machine has no apt-get." "$hint"
  if [ "$(id -u)" != 0 ]; then
    have sudo || die "installing packages needs root or sudo." "$hint"
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" apt-get -qq update || say "apt-get update failed; trying with the package lists that are there."
  # RUNLEVEL=1: packages that bring a service (redis-server, victoria-metrics) shall not start it
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null || die "apt-get install failed." "$hint"
  stop_services "${missing[@]}"
}

# systemd starts a new package's service whatever RUNLEVEL says; only what was installed just now is stopped.
stop_services() {
  [ -d /run/systemd/system ] || return 0
  local package
  for package; do
    case $package in redis-server | victoria-metrics)
      "${as_root[@]}" systemctl disable --now "$package" >/dev/null 2>&1 ||
        say "could not stop the service $package, which came with its package; the tests do not mind it."
      ;;
    esac
  done
}

# ---- the newer VictoriaMetrics: Debian's newest package, unpacked below .cache without installing it

need_new_vm() {
  [ -z "${VMSYNC_VM_NEWEST_DIR:-}" ] || return 0
  ! vm_runs "$vm_new" || return 0
  local hint="Put a newer release's victoria-metrics, vmagent, vmalert and vmauth into a folder and name it: VMSYNC_VM_NEWEST_DIR=folder"
  { have apt-get && have dpkg; } || die "no newer VictoriaMetrics to test against." "$hint"
  local suite mirror
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || die "found no Debian mirror in this machine's apt sources." "$hint"
  for suite in sid trixie; do
    say "fetching VictoriaMetrics of Debian $suite"
    if unpack_vm "$suite" "$mirror" "$cache/vm-draft" && vm_runs "$cache/vm-draft"; then
      rm -rf "$vm_new"
      mv "$cache/vm-draft" "$vm_new"
      rm -rf "$cache/apt"
      return
    fi
  done
  die "no newer VictoriaMetrics could be fetched (see above)." "$hint"
}

vm_runs() {
  local program
  for program in vmagent vmalert vmauth; do [ -x "$1/usr/bin/$program" ] || return; done
  "$1/usr/bin/victoria-metrics" --version >/dev/null 2>&1
}

# The address that this machine's own apt uses for its release.
debian_mirror() {
  # shellcheck disable=SC2016,SC1091  # apt-get fills in the dollars; os-release is the system's
  apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
    awk -v release="$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" '$2 == release && !seen++ { print $1 }'
}

# unpack_vm SUITE MIRROR FOLDER
unpack_vm() {
  local apt=$PWD/$cache/apt debs=$PWD/$cache/apt/debs
  rm -rf "$debs" "$3"
  mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$debs" "$3"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $2 $1 main" >"$apt/sources.list"
  private_apt "$apt" update || return 1
  (cd "$debs" && private_apt "$apt" download victoria-metrics) || return 1
  dpkg -x "$debs"/victoria-metrics_*.deb "$3"
}

# apt-get with lists and cache of its own: the machine's package state stays as it is.
private_apt() {
  local apt=$1
  shift
  apt-get -qq -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
    -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt" -o Dir::Cache::Archives="$apt/archives" \
    -o Acquire::Languages=none -o Acquire::PDiffs=false -o Acquire::Retries=3 -o APT::Sandbox::User=root "$@"
}

install_dependencies() {
  run_pnpm install --frozen-lockfile || die "pnpm install failed; mend what it says above and try again."
}

run_tests() {
  need_node
  need_packages victoria-metrics:victoria-metrics vmauth:victoria-metrics vmagent:victoria-metrics \
    vmalert:victoria-metrics redis-server:redis-server \
    dnsmasq:dnsmasq-base chromium:chromium openssl:openssl curl:curl
  need_new_vm
  install_dependencies
  run_pnpm run check
}

run_demo() {
  need_node
  need_packages victoria-metrics:victoria-metrics redis-server:redis-server openssl:openssl
  need_new_vm
  install_dependencies
  exec npx --yes "$pnpm" --silent run demo "$@"
}

[ $# -gt 0 ] || usage
command=$1
shift
case $command in
  primary | dr) [ $# = 0 ] || usage; prepare_site "$command" ;;
  test) [ $# = 0 ] || usage; run_tests ;;
  demo) [ "$*" = "" ] || [ "$*" = --exit ] || usage; run_demo "$@" ;;
  *) usage ;;
esac
