#!/bin/sh
# Growth: runs on the first training members of zoos of several seeds, with eight snapshots each or the last alone. Each run
# lists those before it, so evaluation/growth.csv and the figure `growth` of the last one have all, with intervals over zoos.
#
#     sh docs/studies/cnn-zoo/growth.sh           # the study
#     sh docs/studies/cnn-zoo/growth.sh tiny      # a small version
set -e
study=$(dirname "$0") kind=${1:+-$1}
seeds="0 1 2" zoo_config=growth-zoo zoo_run=cnn-growth-zoo
last="snapshots: [max]" eight="snapshots: [1, 2, 3, 4, 5, 6, 8, max]"
runs="4000x1 100x8 1000x8 4000x8" # training members x snapshots
steps=3200 batch=32
if [ "$1" = tiny ]; then
  seeds="0 1" zoo_config=one-dataset-tiny zoo_run=cnn-zoo-tiny
  eight="snapshots: [1, 2, max]" runs="3x1 6x3" steps=1
fi

beside= growth=false
for seed in $seeds; do
  zoo=$zoo_run
  if [ "$seed" != 0 ]; then zoo=$zoo-$seed; fi
  # The zoo alone: its members and images.
  wsl run "$study/$zoo_config.yaml" -- "results/$zoo/zoo/zoo.json" "results/$zoo/tables/members.csv" \
    "results/$zoo/images/all.json" --config "run=$zoo" "seed=$seed"
  for size in $runs; do
    members=${size%x*} count=${size#*x} snapshots=$eight
    if [ "$count" = 1 ]; then snapshots=$last; fi
    run=cnn-growth$kind-$seed-$size
    wsl run "$study/growth$kind.yaml" -- --config "run=$run" "seed=$seed" "beside=[$beside]" \
      "zoo={from: results/$zoo, training: $members, $snapshots}" "evaluation={growth: $growth}" \
      "weights={encoder: {epochs: $((steps * batch / (members * count)))}}"
    beside=$beside${beside:+, }$run growth=true
  done
done
