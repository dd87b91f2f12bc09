#!/bin/sh
# Print the Secrets that base/ names, with new random values. Once for a cluster, as `create` leaves what is there alone:
#   manifests/secrets.sh | kubectl -n lesionflow create -f -
# Hex, so that the password may stand in an address as it is.
set -eu
random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
cat << END
apiVersion: v1
kind: Secret
metadata: {name: lesionflow-postgres}
stringData: {password: "$(random 24)"}
---
apiVersion: v1
kind: Secret
metadata: {name: lesionflow-store}
stringData: {access_key_id: "$(random 10)", secret_access_key: "$(random 24)"}
END
