"""Epochs of checkpoints are determined only if every way of saving would give the same."""

import itertools

import pytest

from wsl.errors import DataError
from wsl.zoo.foreign.joining import BY_NAME, BY_NUMBER, COUNTED, IN_ORDER, NOT_SAID, Numbering, Saved, join


def ray(first, count, every, at_end, newer, kept):
    """The epochs of a run of Ray, and those of its checkpoints by number."""
    epochs = list(range(first, first + count))
    saved = [epoch for epoch in epochs if epoch % every == 0 or (at_end and epoch == epochs[-1])]
    numbered = {place if newer else epoch: epoch for place, epoch in enumerate(saved)}
    return epochs, dict(list(numbered.items())[-kept:])


def possible_runs():
    settings = ((0, 1), range(1, 14), (1, 2, 3, 5), (False, True), (False, True), (1, 2, 3, 99))
    for setting in itertools.product(*settings):
        epochs, numbered = ray(*setting)
        if numbered:
            yield epochs, numbered


def test_results_hold_for_every_way_in_which_ray_may_have_saved():
    truths_of = {}
    for epochs, numbered in possible_runs():
        truths_of.setdefault((tuple(epochs), tuple(numbered)), []).append(numbered)
    answered = 0
    for (epochs, numbers), truths in truths_of.items():
        try:
            joined, _ = join("run", numbers, epochs, {}, NOT_SAID)
        except DataError:
            assert len(numbers) < len(epochs)  # as many of each are joined
            continue
        answered += 1
        assert all(joined == truth for truth in truths), (epochs, truths)
    assert answered > len(truths_of) / 4


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("kept", [2, 99])
def test_an_interval_determines_epochs_in_newer_versions_of_ray(first, at_end, kept):
    for count, every in itertools.product(range(4, 14), (1, 2, 3)):
        epochs, numbered = ray(first, count, every, at_end, True, kept)
        truth = dict(numbered)
        try:
            joined, _ = join("run", list(numbered), epochs, {}, Saved(every=every))
        except DataError as error:  # other epochs are more likely, as far as numbers tell
            assert "contradicts" in str(error) and kept == 2
        else:
            assert joined == truth


def test_names_in_the_results_come_first_and_others_are_left_out():
    assert join("run", [0, 1, 2], range(6), {0: 1, 1: 3}, NOT_SAID) == ({0: 1, 1: 3}, BY_NAME)


def test_older_zoos_are_joined_by_number_newer_in_order():
    assert join("run", [5, 10], range(11), {}, NOT_SAID) == ({5: 5, 10: 10}, BY_NUMBER)
    assert join("run", [10, 20, 30], range(36), {}, NOT_SAID) == ({10: 10, 20: 20, 30: 30}, BY_NUMBER)
    assert join("run", [0, 1, 2], [1, 2, 3], {}, NOT_SAID) == ({0: 1, 1: 2, 2: 3}, IN_ORDER)
    assert join("run", [0, 1, 2], [2, 4, 6], {}, NOT_SAID) == ({0: 2, 1: 4, 2: 6}, IN_ORDER)


@pytest.mark.parametrize(
    ("numbers", "epochs"),
    [([0, 1, 2], range(6)), ([0, 1, 2, 3], range(5)), ([3], range(10)), ([3, 7, 15], [3, 7, 20]), ([0], range(3))],
)
def test_ambiguous_epochs_are_requested_without_a_suggestion(numbers, epochs):
    with pytest.raises(DataError, match=r"nothing shows which belong.*by --every N or by --saved-epochs with a list$"):
        join("run", numbers, epochs, {}, NOT_SAID)


def test_a_list_gives_the_epoch_of_each_checkpoint():
    assert join("run", [0, 1, 2], range(6), {}, Saved(epochs=(1, 3, 4)))[0] == {0: 1, 1: 3, 2: 4}
    # Some of them were removed since.
    assert join("run", [1, 2], range(6), {}, Saved(epochs=(1, 3, 4)))[0] == {1: 3, 2: 4}
    with pytest.raises(DataError, match=r"--saved-epochs 1,3 names 2 epochs, but there are 3 checkpoints"):
        join("run", [0, 1, 2], range(6), {}, Saved(epochs=(1, 3)))


def test_options_must_agree_with_the_files():
    assert join("run", [2, 4, 5], range(6), {}, Saved(every=2)) == ({2: 2, 4: 4, 5: 5}, BY_NUMBER)
    with pytest.raises(DataError, match=r"checkpoint 1 is of epoch 1, known by .*name.*, which --every 2 contradicts"):
        join("run", [0, 1], range(6), {0: 0, 1: 1}, Saved(every=2))
    with pytest.raises(DataError, match=r"checkpoint 1 is of epoch 1, .*--saved-epochs 0,2 contradicts"):
        join("run", [0, 1, 2], range(3), {}, Saved(epochs=(0, 2)))
    with pytest.raises(DataError, match=r"by --every 4 checkpoint 2 is of epoch 8, which has no results"):
        join("run", [0, 1, 2], range(5), {}, Saved(every=4))


def test_a_checkpoint_before_the_first_result_is_not_joined_by_number():
    """Numbers that begin at 0 are counts where iterations begin at 1."""
    with pytest.raises(DataError, match="nothing shows which belong"):
        join("run", [0, 10, 20], range(1, 91), {}, NOT_SAID)
    counting = Numbering(interval=1)
    assert join("run", [0, 10, 20], range(1, 91), {}, NOT_SAID, counting) == ({0: 1, 10: 11, 20: 21}, COUNTED)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("newer", [False, True])
def test_any_choice_of_checkpoints_of_every_epoch_has_its_own_epoch_or_is_refused(first, newer):
    answered = 0
    for count in range(2, 9):
        epochs, numbered = ray(first, count, 1, False, newer, 99)
        for length in range(1, count):
            for chosen in itertools.combinations(numbered, length):
                truth = {number: numbered[number] for number in chosen}
                try:
                    # Older results are recognised; that newer runs saved every epoch is known by the hyper-parameters.
                    joined, _ = join("run", chosen, epochs, {}, NOT_SAID, Numbering(not newer, False, 1))
                except DataError:
                    assert newer
                    continue
                answered += 1
                assert joined == truth
    assert answered > 100


def test_an_interval_of_hyper_parameters_is_not_believed_where_a_larger_one_fits():
    for numbers in ([0, 1, 2], [1, 2], [0, 1, 2, 3]):
        with pytest.raises(DataError, match="nothing shows which belong"):
            join("run", numbers, range(6), {}, NOT_SAID, Numbering(interval=1))


def test_checkpoints_of_transformers_count_results_from_0():
    zoo = Numbering(counted=True, interval=1)
    assert join("run", [10, 20, 30], range(1, 91), {}, NOT_SAID, zoo)[0] == {10: 11, 20: 21, 30: 31}
    assert join("run", [*range(50)], range(1, 51), {}, NOT_SAID, zoo)[0] == {n: n + 1 for n in range(50)}
    assert join("run", [4, 9], range(50), {}, NOT_SAID, zoo) == ({4: 4, 9: 9}, BY_NUMBER)
