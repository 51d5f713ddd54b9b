#!/bin/bash
# One evaluator: see evaluators.sub.
set -eu
scan=$1 pool=$2 pair=${3:-$PAIR}/evaluator
exec ${EVALUATOR:-apptainer exec evaluator.sif lodescan-evaluator} serve "$scan" \
    --listen 0.0.0.0:0 --announce "$pool" --workers "${_CONDOR_REQUEST_CPUS:-4}" \
    --lifetime "${LIFETIME:-11h50m}" --grace "${GRACE:-60}" --until-finished \
    --tls-ca "$pair/ca.pem" --tls-cert "$pair/cert.pem" --tls-key "$pair/key.pem" --token-file "$pair/token"
