#!/bin/sh
# Growth: runs on the first training members of zoos of several seeds. Each run lists those before it, so
# evaluation/growth.csv and the figure `growth` of the last one have all, with intervals over the seeds.
#
#     sh docs/studies/cnn-zoo/growth.sh           # the study; it uses the zoo of one-dataset.yaml and trains two more
#     sh docs/studies/cnn-zoo/growth.sh tiny      # a small version on embedded images
set -e
study=$(dirname "$0") kind=${1:+-$1}
seeds="0 1 2" sizes="100 200 400 840"
if [ "$1" = tiny ]; then seeds="0 1" sizes="3 6"; fi

beside= growth=false
for seed in $seeds; do
  zoo=cnn-zoo$kind
  if [ "$seed" != 0 ]; then zoo=$zoo-$seed; fi
  # The zoo alone: its members and images.
  wsl run "$study/one-dataset$kind.yaml" -- "results/$zoo/zoo/zoo.json" "results/$zoo/tables/members.csv" \
    "results/$zoo/images/all.json" --config "run=$zoo" "seed=$seed"
  for size in $sizes; do
    run=cnn-growth$kind-$seed-$size
    wsl run "$study/growth$kind.yaml" -- --config "run=$run" "seed=$seed" "beside=[$beside]" \
      "zoo={from: results/$zoo, training: $size}" "evaluation={growth: $growth}"
    beside=$beside${beside:+, }$run growth=true
  done
done
