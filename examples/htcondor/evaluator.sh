#!/bin/bash
# One evaluator: see evaluators.sub.
set -eu
scan=$1 pool=$2 pair=${3:-$PAIR}/evaluator workers=${4:-1}
[ ! -e "$pool/finished" ] || exit 0             # the scan is finished, so nobody would need this evaluator
exec ${EVALUATOR:-apptainer exec evaluator.sif lodescan-evaluator} serve "$scan" \
    --listen 0.0.0.0:0 --announce "$pool" --workers "$workers" \
    --lifetime "${LIFETIME:-11h50m}" --grace "${GRACE:-60}" --until-finished \
    --tls-ca "$pair/ca.pem" --tls-cert "$pair/cert.pem" --tls-key "$pair/key.pem" --token-file "$pair/token"
