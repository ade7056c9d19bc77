"""Warnings about a run's numbers: one sentence each, with a remedy."""

from collections.abc import Iterator
from typing import Any

from wsl.figures.methods import KINDS, kinds_in, method, strongest_baseline
from wsl.zoo.few_sets import FEW_SETS, MEMBERS

FEW_BINS = 3
NEAR_CHANCE = 0.2  # fraction of the way from chance to 100 %
FAR = 0.1  # accuracies that differ by more are not of the same images, or inputs


def cautions(numbers: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    """Return the warnings.

    Args:
        numbers: the summary, see ``wsl.evaluation.tables.write_summary``.
        facts: see ``wsl.report.facts.facts``.
    """
    return [*_of_training(numbers, facts), *_of_held_out_tasks(numbers, facts)]


def _of_training(numbers: dict[str, Any], facts: dict[str, Any]) -> Iterator[str]:
    accuracy, chance = numbers["validation_accuracy_max"], numbers["chance"]
    if accuracy < chance + NEAR_CHANCE * (1 - chance):
        longer = "Train them for longer (zoo.max_epoch), on more images"
        train = f"{longer}, or from a trained backbone (zoo.init: finetuned)."
        yield (
            f"Members of the zoo reach {accuracy:.1%} validation accuracy, close to chance ({chance:.1%}): their "
            f"weights contain nothing to learn. {'Import another zoo.' if facts['imported'] else train}"
        )
    if numbers["members_diverged"]:
        yield (
            f"{numbers['members_diverged']} of {numbers['members']} members diverged and were left out. If there are "
            "many, lower zoo.learning_rate."
        )
    if not facts["images"]:
        return
    yield from _of_imported(numbers)
    if numbers["images_skipped"]:
        yield (
            f"{numbers['images_skipped']} image files could not be read and were skipped. The table classes counts "
            "them, and the logs of pack_classes name them."
        )
    if numbers["images_shared"]:
        yield (
            f"{numbers['images_shared']} images are in several classes, so no model can distinguish these classes by "
            "them. The log of class_table names them; keep each in one class only."
        )
    if facts["random_features"]:
        yield (
            "Dataset embeddings are RANDOM features: the CLIP model has no pretrained weights in this run. Set "
            "datasets.weights to get embeddings that depend on what images show."
        )
    if numbers["shared_validation_loss"] >= numbers["shared_chance_loss"]:
        key = "" if facts["imported"] else " (zoo.init)"
        yield (
            f"The shared encoder's validation loss, {numbers['shared_validation_loss']:.2f}, is not below its chance "
            f"value, {numbers['shared_chance_loss']:.2f}: (D, R) of a new task contains no information about weights. "
            f"Use more members, fewer shared.epochs, or members that share a start{key}."
        )
    if numbers["outcome_bins_filled"] < FEW_BINS:
        yield (
            f"Only {numbers['outcome_bins_filled']} outcome bins hold training snapshots, so a request R has almost no "
            "effect. Use outcomes.spacing: quantiles, or snapshots whose losses differ more."
        )


def _of_imported(numbers: dict[str, Any]) -> Iterator[str]:
    reported, recomputed = (numbers.get(key) for key in ("reported_accuracy", "recomputed_accuracy"))
    if reported is None or abs(recomputed - reported) <= FAR:
        return
    both = f"Imported members reach {recomputed:.1%} on validation images, but their zoo reports {reported:.1%}"
    if recomputed < reported:
        yield (
            f"{both}: they were probably trained with another normalisation (images.mean and images.std), order of "
            "classes (--classes of `wsl import`) or size of images (images.size). Accuracies of this run are wrong "
            "until this is corrected."
        )
    else:
        yield (
            f"{both}: these images were probably among their training images, so accuracies of this run are too high. "
            "Use the split of the zoo's authors."
        )


def _of_held_out_tasks(numbers: dict[str, Any], facts: dict[str, Any]) -> Iterator[str]:
    if facts["unit"] == MEMBERS and facts["images"] and not facts["one_task"]:
        yield (
            "Held-out members of seen classes have the tasks of training members, so their accuracies are those of "
            "further samples for known datasets. Intervals are over members, and hold for these datasets alone."
        )
    if facts["one_task"] and facts["images"]:
        yield (
            "All members have the same task, so datasets D do not differ: the shared encoder and samplers can only "
            "follow R. Intervals are over members, and hold for this task alone."
        )
    for kind in kinds_in(numbers["accuracy"]):
        chosen, sets = numbers["chosen_sampler"], numbers.get("sets", facts["sets"]).get(kind)
        if sets is not None and sets < FEW_SETS:
            what, of, more = ("member", "on", "members") if facts["unit"] == MEMBERS else ("set", "of", "classes")
            yield (
                f"Only {sets} held-out {what}{'s' * (sets != 1)} {of} {KINDS[kind]}: differences between methods may "
                f"be chance. Use more {more}, or a larger test part (zoo.parts, zoo.unseen)."
            )
        accuracies = numbers["accuracy"][kind]
        best = strongest_baseline(accuracies)
        if best is not None and accuracies[chosen] < accuracies[best]:
            yield (
                f"On {KINDS[kind]}, the chosen sampler, {method(chosen).label}, reaches {accuracies[chosen]:.1%} and "
                f"the baseline {method(best).label}, which uses the same data, {accuracies[best]:.1%}: prefer the "
                "baseline for such tasks."
            )
