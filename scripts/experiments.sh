#!/usr/bin/env bash
# Remakes the measured parts of docs/experiments: runs the commands that the pages name, and writes what comes out below the head
# of each page (everything from its first "## " on). What is said in words above it stays as it is: read it again.
#
#   scripts/experiments.sh [PAGE...]     such as load-balance; without a name all; index: only the tables of contents
#
# Data sets that are not part of the program are looked for in NORM_DATA_DIR. Results go to OUT [norm-results/docs], and a run
# that was interrupted goes on there; all of it takes hours on two processors.
set -euo pipefail
cd "$(dirname "$0")/.."
all=(load-balance coding regularization accuracy batch-size learning-rate initialization plasticity drift trade-offs)
pages=("${@:-${all[@]}}")

# As a reader would type it: with the place of the data.
typed() { sed -E 's/^norm experiment .*--dataset .*/& --dir DIR/'; }

remake() {
    local page=$1 file=docs/experiments/$1.md results=() line words folder
    while read -r line; do
        read -ra words <<<"${line/ --dir DIR/}"
        # In a folder of its own, so that the command is the page's, word for word.
        folder=$out/$page-$((${#results[@]} + 1))
        mkdir -p "$folder"
        (cd "$folder" && "$norm" "${words[@]:1}" </dev/null >/dev/null)
        results+=("$folder/norm-results/$page.jsonl")
    done < <(grep '^norm experiment' "$file")
    "$norm" report "${results[@]}" --output "$out/$page.md"
    { sed '/^## /,$d' "$file" && typed <"$out/$page.md"; } >"$out/page"
    mv "$out/page" "$file"
}

if [ "${pages[*]}" != index ]; then
    [ -z "${NORM_DATA_DIR:-}" ] || NORM_DATA_DIR=$(realpath "$NORM_DATA_DIR")
    out=$(realpath -m "${OUT:-norm-results/docs}")
    cargo build --release -p norm-cli
    norm=$(realpath "${CARGO_TARGET_DIR:-target}/release/norm")
    for page in "${pages[@]}"; do remake "$page"; done
fi

# How the claims came out: on the digits (the part of each page whose command is the experiment's name alone), and on image sets
# (parts of Fashion-MNIST or CIFAR-10 whose command does not ask for fewer rows), in the order of supported, mixed, refuted, open.
index() {
    echo '| experiment | asks | digits: supported | mixed | refuted | open | image sets |'
    echo '|---|---|--:|--:|--:|--:|---|'
    for page in "${all[@]}"; do
        awk -v name="$page" -v folder="$1" '
            NR == 3 { asks = $0 }
            /^## / { own = whole = 0 }
            /^norm experiment [a-z-]+$/ { own = 1 }
            /^norm experiment .*--dataset (fashion-mnist|cifar-10)/ && !/--train-rows/ { whole = 1 }
            own && /^\| \*\*/ { split($0, part, /\*\*/); count[part[2]]++ }
            whole && /^\| \*\*/ { split($0, part, /\*\*/); wide[part[2]]++ }
            END {
                printf "| [%s](%s%s.md) | %s ", name, folder, name, asks
                printf "| %s | %s | %s | %s |", count["supported"], count["mixed"], count["refuted"], count["open"]
                words = split("supported mixed refuted open", order, " ")
                for (i = 1; i <= words; i++) if (wide[order[i]]) { printf "%s %s %s", comma, wide[order[i]], order[i]; comma = "," }
                print " |"
            }' "docs/experiments/$page.md"
    done
}

# Replaces what stands between the marks <!-- results --> and <!-- end --> of a file by standard input.
between() {
    local table
    table=$(mktemp)
    cat >"$table"
    sed -i -e '/^<!-- results -->$/,/^<!-- end -->$/{/^<!-- /!d' -e "/^<!-- results -->$/r $table" -e '}' "$1"
    rm "$table"
}

index '' | between docs/experiments/README.md
index docs/experiments/ | between README.md
