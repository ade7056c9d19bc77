#!/bin/sh
# Several datasets: one zoo on nine datasets, and then runs on it that leave out each of them in turn. Each of these makes
# two tables, and lists the accuracies of those before it, so tables/accuracy.csv of the last one has all.
#
#     sh docs/studies/cnn-zoo/datasets.sh         # the study
#     sh docs/studies/cnn-zoo/datasets.sh tiny    # a small version on embedded images
#     sh docs/studies/cnn-zoo/datasets.sh public  # on seven public datasets, which torchvision downloads
set -e
study=$(dirname "$0") kind=${1:+-$1} left_out=left-out
datasets="digits digits-inverted digits-recoloured characters characters-rotated characters-recoloured"
datasets="$datasets cifar10 cifar10-inverted cifar10-rotated"
case "$1" in
  tiny) datasets=characters left_out=left-out-tiny ;;
  public) datasets="mnist fashion-mnist kmnist svhn usps cifar10 stl10" ;;
esac

# The zoo alone: its members and images.
zoo=results/cnn-datasets$kind
wsl run "$study/datasets$kind.yaml" -- "$zoo/zoo/zoo.json" "$zoo/tables/members.csv" "$zoo/images/all.json"
beside=
for dataset in $datasets; do
  run=cnn$kind-without-$dataset
  wsl run "$study/$left_out.yaml" -- "results/$run/tables/accuracy.csv" "results/$run/tables/control.csv" \
    --config "run=$run" "zoo={from: $zoo, leave_out: [$dataset]}" "beside=[$beside]"
  beside=$beside${beside:+, }$run
done
