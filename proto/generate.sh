#!/usr/bin/env bash
# Writes proto/gen from the contract. With --check: says whether what is committed is what would be written, and leaves it alone.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"
bash proto/third-party.sh
if [ "${1:-}" = --check ]; then
  rm -rf .local/generated
  buf generate -o .local/generated
  diff -r proto/gen .local/generated/proto/gen && exit 0
  echo "proto/gen is not what the contract generates. Run: npm run generate" >&2
  exit 1
fi
buf generate
