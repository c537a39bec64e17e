#!/usr/bin/env bash
# Installs axe-core, the accessibility check of the console's tests.
#
# usage: tests/console/setup.sh
#
# Goes to $TESTKIT_AXE_HOME, or else to <target>/axe, where <target> is
# $CARGO_TARGET_DIR or the workspace's target folder. Needs npm and flock. May be
# run any number of times, also at once: what is there is kept.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/fetched_home.sh
source "$here/../fetched_home.sh"
choose_home TESTKIT_AXE_HOME axe npm flock
one_at_a_time "$home/.lock"
install_node_packages axe-core
