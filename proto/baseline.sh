#!/usr/bin/env bash
# Writes proto/baseline.binpb, the contract that `npm test` holds every change against: callers of that contract must go on
# working. Run it when a version is released, and commit the result with the release. Before the first release, also after
# a breaking change that is meant.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"
bash proto/third-party.sh
buf build proto --exclude-source-info -o proto/baseline.binpb
