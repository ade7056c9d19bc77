#!/bin/sh
# One dataset and sampling on all of CIFAR-10, which torchvision downloads (170 MB): 45,000 training images in place of
# 3,000, so the zoo takes fifteen times as long.
#
#     sh docs/studies/cnn-zoo/one-dataset-public.sh
set -e
study=$(dirname "$0") run=cnn-cifar10
wsl run "$study/one-dataset.yaml" -- --config run=$run "images={source: 'torchvision:CIFAR10', validation_share: 0.1}"
for method in sane hyper tokens vq; do
  wsl run "$study/sampling-$method.yaml" -- --config run=$run-sampling-$method "zoo={from: results/$run}"
done
