#!/bin/bash
# What could not be run without a cluster, checked on the first real one, in about an hour.
#   pipelines/check_cluster.sh NAMESPACE PACKAGE.yaml --params PARAMS --set NAME=VALUE ...
# PACKAGE is what `python -m pipelines.compile --registry ...` wrote; kubectl and KF_PIPELINES_ENDPOINT (KFP_TOKEN) point at the cluster.
# It starts runs, and deletes one pod of its own run. It changes no champion unless the change plan lets the run do so.
# Where manifests/ were applied, LESIONFLOW_NAMESPACE (lesionflow) is looked at too, by two pods that ask and go.
set -uo pipefail
[ $# -ge 2 ] || { sed -n 2,7p "$0"; exit 2; }
namespace=$1 package=$2
shift 2
faults=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
check() { # NAME COMMAND...: says what holds and what does not, and goes on.
    local name=$1
    shift
    if "$@" >"$log" 2>&1; then echo "ok      $name"; else
        echo "NOT     $name"
        tail -3 "$log" | sed 's/^/          /'
        faults=$((faults + 1))
    fi
}
none_of() { # PATTERN COMMAND...: it answers something, and no word of that fits.
    local pattern=$1 found
    shift
    found=$("$@") || return 1
    [ -n "$found" ] || { echo "nothing was found to look at"; return 1; }
    ! tr ' ' '\n' <<< "$found" | grep -E "$pattern"
}
k() { kubectl --namespace "$namespace" "$@"; }
wait_for_pod() { # RUN STEP: until its pod runs, 15 minutes at most.
    for _ in $(seq 90); do
        k get pods -l "app.kubernetes.io/component=$2,pipeline/runid=$1" -o 'jsonpath={.items[*].status.phase}' | grep -q Running && return 0
        sleep 10
    done
    return 1
}
ended() { # RUN STATE: until the workflow ended so, an hour at most.
    for _ in $(seq 360); do
        phase=$(k get workflows -l "pipeline/runid=$1" -o 'jsonpath={.items[0].status.phase}')
        [ "$phase" = "$2" ] && return 0
        case $phase in Succeeded | Failed | Error) echo "ended as $phase"; return 1 ;; esac
        sleep 10
    done
    return 1
}

echo "1. What must be there (5 minutes)"
check "ConfigMap lesionflow has MLFLOW_TRACKING_URI" bash -c "kubectl -n $namespace get configmap lesionflow -o jsonpath='{.data.MLFLOW_TRACKING_URI}' | grep -q ."
for secret in lesionflow-mlflow lesionflow-pseudonym; do check "Secret $secret" k get secret "$secret"; done
gpu=${LESIONFLOW_GPU_RESOURCE:-nvidia.com/gpu}
check "nodes offer $gpu" bash -c "kubectl get nodes -o jsonpath='{.items[*].status.allocatable}' | grep -qE '\"$gpu\":\"?[1-9]'"
check "the upload is taken" python -m pipelines.submit upload "$package"

echo "2. A run from studies to champion; every pod as compiled (30 minutes)"
said=$(python -m pipelines.submit run "$package" --again "$@") || { echo "$said"; exit 1; }
run=$(echo "$said" | sed -n 's/^Run \([^ ]*\) .*/\1/p')
echo "        run $run"
check "ingest's pod runs" wait_for_pod "$run" ingest
check "train's pod runs" wait_for_pod "$run" train
train=$(k get pods -l "app.kubernetes.io/component=train,pipeline/runid=$run" -o 'jsonpath={.items[0].metadata.name}')
check "train is not root" none_of '^0$' k exec "$train" -c main -- id -u
check "train sees its GPU" k exec "$train" -c main -- python -c "import torch; assert torch.cuda.is_available()"
check "train has more than 64 MB of /dev/shm" k exec "$train" -c main -- python -c "import os; s=os.statvfs('/dev/shm'); assert s.f_blocks*s.f_frsize > 2**30"

echo "3. A lost pod is tried again (5 minutes)"
check "train's pod is deleted" k delete pod "$train" --wait=false
sleep 60
check "another pod of train runs" wait_for_pod "$run" train
check "the run ends well" ended "$run" Succeeded

echo "4. A run that somebody stops is closed in MLflow, with the reason (10 minutes)"
said=$(python -m pipelines.submit run "$package" --again "$@")
stopped=$(echo "$said" | sed -n 's/^Run \([^ ]*\) .*/\1/p')
check "train's pod runs" wait_for_pod "$stopped" train
check "the run is stopped" bash -c "kubectl -n $namespace patch workflow \$(kubectl -n $namespace get workflows -l pipeline/runid=$stopped -o name | head -1 | cut -d/ -f2) --type merge -p '{\"spec\":{\"shutdown\":\"Stop\"}}'"
sleep 120
check "MLflow has no open run of it (needs MLFLOW_TRACKING_URI here)" python -c "
import mlflow
runs = mlflow.search_runs(search_all_experiments=True, filter_string=\"tags.pipeline_run = '$stopped'\", output_format='list')
assert runs, 'no run of MLflow has the tag pipeline_run'
assert all(run.info.status != 'RUNNING' for run in runs), [run.info.run_id for run in runs]"

product=${LESIONFLOW_NAMESPACE:-lesionflow}
image=$(sed -n 's/^ *image: *//p' "$package" | head -1)
probe() { # NAMESPACE open|shut: whether MLflow can be reached from a pod there; a name that leads nowhere is neither.
    kubectl --namespace "$1" run lesionflow-probe --image="$image" --restart=Never --rm --attach --quiet --pod-running-timeout=5m --command -- python -c "
import socket, sys, urllib.error, urllib.request
socket.gethostbyname('mlflow.$product')
try:
    urllib.request.urlopen('http://mlflow.$product:5000/health', timeout=5)
    found = 'open'
except urllib.error.HTTPError:
    found = 'open'
except OSError:
    found = 'shut'
sys.exit('MLflow is ' + found + ' to $1' if found != '$2' else 0)"
}
if kubectl get namespace "$product" > /dev/null 2>&1; then
    echo "5. The product in $product (10 minutes)"
    for part in statefulset/postgres statefulset/object-store deployment/mlflow; do
        check "$part is ready" kubectl -n "$product" rollout status "$part" --timeout=5m
    done
    check "MLflow and the service are not exposed beyond the cluster" none_of 'NodePort|LoadBalancer' kubectl -n "$product" get services -o 'jsonpath={.items[*].spec.type}'
    check "no image has a tag" none_of '^[^@]*$' kubectl -n "$product" get pods -o 'jsonpath={.items[*].spec.containers[*].image}'
    check "pipelines reach MLflow" probe "$namespace" open
    check "a stranger does not" probe default shut
    check "each pod of the service has a model" bash -c "kubectl -n $product wait pod -l app.kubernetes.io/name=lesionflow --for=condition=Ready --timeout=3m"
else
    echo "5. No namespace $product: manifests/ are not applied here, or LESIONFLOW_NAMESPACE names another"
fi

echo "$faults not as they should be"
exit $((faults > 0))
