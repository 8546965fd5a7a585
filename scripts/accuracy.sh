#!/usr/bin/env bash
# Accuracy beside PyTorch: trains the same networks with both over the same seeds and writes docs/accuracy.md.
#
#   FASHION_MNIST_DIR=DIR CIFAR_10_DIR=DIR scripts/accuracy.sh [RESULTS.jsonl]
#
# Needs cargo, and a Python with torch, numpy and safetensors (PYTHON, default python3). Hours on one core; what stands in RESULTS
# (docs/accuracy.jsonl) is not run again, so a broken run goes on, and with the committed file only the page is made
# anew. SEEDS=2, ONLY=fashion-mnist/lenet5 and METHODS=none,batch make it shorter.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
results=${1:-docs/accuracy.jsonl}
if [ -z "${NORM:-}" ]; then
  cargo build --release --package norm-cli
  NORM="${CARGO_TARGET_DIR:-target}/release/norm"
fi
export NORM

for step in ${STEPS:-rates norm pytorch same start export}; do
  "$python" scripts/accuracy.py "$step" "$results"
done
"$python" scripts/accuracy.py table "$results" > docs/accuracy.md.new
mv docs/accuracy.md.new docs/accuracy.md
