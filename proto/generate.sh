#!/usr/bin/env bash
# Writes proto/gen from the contract. With --check: says whether what is committed is what would be written.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"
bash proto/third-party.sh
if [ "${1:-}" = --check ]; then
  before=$(cd proto/gen && find . -type f | sort | xargs sha256sum)
  cp -r proto/gen .local/gen-before
  buf generate
  after=$(cd proto/gen && find . -type f | sort | xargs sha256sum)
  rm -rf proto/gen && mv .local/gen-before proto/gen
  [ "$before" = "$after" ] || { echo "proto/gen is not what the contract generates. Run: npm run generate" >&2; exit 1; }
  exit 0
fi
buf generate
