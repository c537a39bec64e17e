#!/usr/bin/env bash
# Fetches Apache Kafka and its command-line tools with Maven, for the tests.
#
# usage: tests/kafka/fetch.sh
#
# Goes to $TESTKIT_KAFKA_HOME, or else to <target>/kafka, where <target> is
# $CARGO_TARGET_DIR or the workspace's target folder. Needs Java 17, mvn and
# flock. May be run any number of times, also at once: what is there is kept.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/fetched_home.sh
source "$here/../fetched_home.sh"
choose_home TESTKIT_KAFKA_HOME kafka java mvn flock
# The stamp names what was fetched, so that a changed shopping list fetches anew.
want=$(cksum <"$here/pom.xml")
one_at_a_time "$home/.lock"

if [[ -f $home/.complete && $(<"$home/.complete") == "$want" ]]; then
  cp "$here/log4j2.xml" "$home/log4j2.xml"
  echo "Kafka is in $home"
  exit 0
fi

rm -rf "$home/.complete" "$home/libs" "$home/tools"
for part in broker:libs tools:tools; do
  mvn -B -q -Dstyle.color=never --no-transfer-progress -f "$here/pom.xml" -P "${part%%:*}" \
    -Dforebay.libs="$home/${part##*:}" dependency:copy-dependencies </dev/null
done
cp "$here/log4j2.xml" "$home/log4j2.xml"
printf '%s' "$want" >"$home/.complete"
echo "Kafka is in $home"
