#!/usr/bin/env bash
# Our benchmarks and the peers', alternately on the same cores; then the table of ratios on standard output.
#
#   PEERS_DIR=DIR FASHION_MNIST_DIR=DIR scripts/bench.sh OUT.jsonl
#
# PEERS_DIR has torch_bench.py, and burn-bench and candle-bench if these are asked for. In the environment:
#   PYTHON    a Python with torch and numpy (python3)
#   PEERS     of torch, torch-keepmem, torch-variants, burn, candle (torch torch-keepmem); torch-keepmem keeps freed
#             memory instead of giving it back to the system, torch-variants trains with the fused SGD kernel,
#             torch.compile and channels-last memory
#   PIECES    of train, infer, kernels, copy (all of them)
#   THREADS   1, or "1 2" for training and inference by both numbers; kernels are measured on one ("1 2")
#   SECONDS_EACH  for one measurement (0.5); ROUNDS of all of it, in which peers take turns (2)
#   CORE      that one-thread runs are pinned to (1)
#   WRAP      a command put before each run of a peer or of ours, such as one that keeps the machine quiet
# Lines are appended to OUT.jsonl; of several for one workload the fastest counts, on either side.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:?usage: PEERS_DIR=DIR scripts/bench.sh OUT.jsonl}
peers_dir=${PEERS_DIR:?PEERS_DIR is not set: where is torch_bench.py?}
read -ra wrap <<< "${WRAP:-}"
python=${PYTHON:-python3}
each=${SECONDS_EACH:-0.5}
keep=(env MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=1073741824)

# The program of one of our benchmarks, built by cargo with the settings of `cargo bench`.
built() {
  cargo bench --package norm-std --bench "$1" --no-run --message-format=json |
    "$python" -c 'import json, sys
for line in sys.stdin:
    about = json.loads(line)
    if about.get("executable") and about["target"]["name"] == sys.argv[1]:
        print(about["executable"])' "$1"
}

# The program of a Rust peer, built for this machine.
peer() {
  RUSTFLAGS="-C target-cpu=native" CARGO_TARGET_DIR="${TMPDIR:-/tmp}/peers/$1" \
    cargo build --release --quiet --manifest-path "$peers_dir/$1-bench/Cargo.toml"
  echo "${TMPDIR:-/tmp}/peers/$1/release/$1-bench"
}

run() { # threads, command: its lines to the file
  local threads=$1 pin=()
  shift
  if [ "$threads" = 1 ]; then pin=(taskset -c "${CORE:-1}"); fi
  "${wrap[@]}" "${pin[@]}" env OMP_NUM_THREADS="$threads" RAYON_NUM_THREADS="$threads" "$@" | grep '^{' >> "$out" || {
    echo "bench.sh: failed or cut off: $*" >&2
  }
}

read -ra peers <<< "${PEERS:-torch torch-keepmem}"
read -ra pieces <<< "${PIECES:-train infer kernels copy}"
declare -A program
for name in "${peers[@]}"; do
  case $name in burn | candle) program[$name]=$(peer "$name") ;; esac
done
for piece in "${pieces[@]}"; do
  case $piece in
    train | infer) program[training]=${program[training]:-$(built training)} ;;
    kernels | copy) program[norms]=${program[norms]:-$(built norms)} ;;
  esac
done

for _ in $(seq "${ROUNDS:-2}"); do
  for piece in "${pieces[@]}"; do
    for threads in ${THREADS:-1 2}; do
      case $piece in kernels | copy) if [ "$threads" != 1 ]; then continue; fi ;; esac
      common=(--threads "$threads" --seconds "$each")
      torch=("$python" "$peers_dir/torch_bench.py" "${common[@]}")
      for name in "${peers[@]}"; do
        case $name in
          torch) run "$threads" "${torch[@]}" --only "$piece" ;;
          torch-keepmem) run "$threads" "${keep[@]}" "${torch[@]}" --only "$piece" --peer torch-keepmem ;;
          torch-variants) if [ "$piece" = train ]; then run "$threads" "${keep[@]}" "${torch[@]}" --only variants; fi ;;
          burn | candle) if [ "$piece" != copy ]; then run "$threads" "${program[$name]}" "${common[@]}" --only "$piece"; fi ;;
          *) echo "bench.sh: there is no peer $name" >&2; exit 2 ;;
        esac
      done
      case $piece in
        train | infer) run "$threads" "${program[training]}" "${common[@]}" --only "$piece" ;;
        kernels) run "$threads" "${program[norms]}" --json --seconds "$each" --only layer,batch,group,rms,weight ;;
        copy) run "$threads" "${program[norms]}" --json --seconds "$each" --only copy ;;
      esac
    done
  done
done
"$python" scripts/ratios.py "$out"
