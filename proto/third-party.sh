#!/usr/bin/env bash
# Fetches the .proto files of others that Ferry's contract imports, into .local/third_party: from Maven Central and from
# packages that are installed anyway. Does nothing when they are there.
set -euo pipefail
cd "$(dirname "$0")/.."
out=.local/third_party
protovalidate=1.1.0
stamp="$out/.protovalidate-$protovalidate"
[ -f "$stamp" ] && exit 0
rm -rf "$out"
mkdir -p "$out/protovalidate" "$out/googleapis/google/rpc" "$out/grpc/grpc/health/v1" "$out/grpc/grpc/reflection/v1" "$out/jar"
mvn -B -q dependency:copy -Dartifact=build.buf:protovalidate:$protovalidate -DoutputDirectory="$PWD/$out/jar"
(cd "$out/protovalidate" && jar xf "../jar/protovalidate-$protovalidate.jar" buf/validate/validate.proto)
cp node_modules/google-proto-files/google/rpc/error_details.proto "$out/googleapis/google/rpc/"
cp node_modules/grpc-health-check/proto/health/v1/health.proto "$out/grpc/grpc/health/v1/"
cp node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto "$out/grpc/grpc/reflection/v1/"
rm -r "$out/jar"
touch "$stamp"
