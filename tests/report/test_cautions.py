"""Warnings of the report: each appears with its cause, and names a remedy."""

import pytest

from wsl.report.cautions import cautions


def test_a_good_run_has_none(numbers, run_facts):
    assert cautions(numbers, run_facts) == []


@pytest.mark.parametrize(
    "changes, facts, parts",
    [
        ({}, {"random_features": True}, ["RANDOM", "datasets.weights"]),
        ({"members_diverged": 2}, {}, ["2 of 8 members diverged", "zoo.learning_rate"]),
        ({"images_skipped": 3}, {}, ["3 image files could not be read", "pack_classes"]),
        ({"images_shared": 2}, {}, ["2 images are in several classes", "class_table"]),
        ({"outcome_bins_filled": 2}, {}, ["Only 2 outcome bins", "outcomes.spacing: quantiles"]),
        ({"validation_accuracy_max": 0.41}, {}, ["41.0% validation accuracy, close to chance", "zoo.max_epoch"]),
        ({"shared_validation_loss": 4.2}, {}, ["4.20, is not below its chance value, 4.10", "zoo.init"]),
        ({"validation_accuracy_max": 0.41}, {"imported": "zoos/a"}, ["41.0% validation", "Import another zoo"]),
        ({"reported_accuracy": 0.7, "recomputed_accuracy": 0.59}, {}, ["59.0%", "70.0%", "images.mean", "--classes"]),
        ({"reported_accuracy": 0.7, "recomputed_accuracy": 0.81}, {}, ["81.0%", "among their training images"]),
        ({}, {"one_task": True}, ["only follow R", "over members"]),
        ({"sets": {"seen": 1}}, {}, ["Only 1 held-out set of classes that the zoo saw", "zoo.parts"]),
    ],
)
def test_each_cause_has_one_sentence_with_a_remedy(numbers, run_facts, changes, facts, parts):
    (sentence,) = cautions({**numbers, **changes}, {**run_facts, **facts})
    assert all(part in sentence for part in parts)


@pytest.mark.parametrize(
    "changes",
    [
        {"validation_accuracy_max": 0.48},
        {"shared_validation_loss": 4.09},
        {"sets": {"seen": 10}},
        {"outcome_bins_filled": 3},
        {"reported_accuracy": 0.7, "recomputed_accuracy": 0.61},
    ],
)
def test_values_at_the_limits_give_no_warning(numbers, run_facts, changes):
    assert cautions({**numbers, **changes}, run_facts) == []


def test_the_plan_counts_sets_where_the_summary_does_not(numbers, run_facts):
    del numbers["sets"]
    (sentence,) = cautions(numbers, {**run_facts, "sets": {"seen": 3}})
    assert "Only 3 held-out sets" in sentence


def test_a_sampler_below_the_best_baseline_is_named_per_kind_of_tasks(numbers, run_facts):
    numbers["accuracy"]["unseen"] = {"flow": 0.6, "body-probe": 0.9, "probe": 0.7, "trained": 0.95}
    (sentence,) = cautions(numbers, run_facts)
    assert sentence.startswith("On classes that no member saw, the chosen sampler, flow, reaches 60.0%")
    assert "the baseline probe on generator's body, which uses the same data, 90.0%" in sentence
