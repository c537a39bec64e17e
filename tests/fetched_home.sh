# shellcheck shell=bash
# What the scripts that fetch things for the tests share; to be sourced.

# usage: choose_home VARIABLE NAME TOOL…
#
# Sets `home`, where the script's things go: what VARIABLE says, or else
# <target>/NAME, where <target> is $CARGO_TARGET_DIR or the workspace's target
# folder. Ends the script if one of the tools is missing.
choose_home() {
  local root tool
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  home=${!1:-${CARGO_TARGET_DIR:-$root/target}/$2}
  # A relative path means "seen from the workspace", as for cargo run there.
  case $home in /*) ;; *) home=$root/$home ;; esac
  for tool in "${@:3}"; do
    command -v "$tool" >/dev/null || { echo "${0##*/}: $tool is needed and not on PATH" >&2; exit 1; }
  done
}

# usage: one_at_a_time FILE
#
# Waits until no other script has locked the file; locked until the script ends.
one_at_a_time() {
  mkdir -p "$(dirname "$1")"
  exec 9>"$1"
  flock 9
}

# usage: install_node_packages WHAT
#
# Installs what the package-lock.json beside the script says into `home`, unless
# it is there. The stamp is what was installed from; the tests compare it too.
install_node_packages() {
  if cmp -s "$here/package-lock.json" "$home/.complete"; then
    echo "$1 is in $home"
    return
  fi
  rm -rf "$home/.complete" "$home/node_modules"
  cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$home"
  (cd "$home" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null)
  cp "$here/package-lock.json" "$home/.complete"
  echo "$1 is in $home"
}
