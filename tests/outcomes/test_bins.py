"""Outcome bins compared with those of numpy and pandas."""

import numpy as np
import pandas as pd
import pytest

from wsl.outcomes.bins import OutcomeBins, Outcomes, fit_bins, read_bins, write_bins
from wsl.zoo.member import read_member

LOSSES = np.random.default_rng(0).gamma(2, 0.5, size=202)


@pytest.mark.parametrize("bins", [1, 2, 7, 10])
def test_equal_width_is_numpys_histogram(bins):
    fitted = fit_bins(LOSSES, bins, "equal-width")
    counts, edges = np.histogram(LOSSES, bins)
    assert fitted.edges == pytest.approx(edges)
    assert fitted.counts.tolist() == counts.tolist()
    assert np.bincount(fitted.bin(LOSSES), minlength=bins).tolist() == counts.tolist()


@pytest.mark.parametrize("bins", [2, 5, 7])
def test_quantiles_are_pandas_qcut(bins):
    # Of 202 values no quantile equals a value; there numpy and pandas would differ.
    fitted = fit_bins(LOSSES, bins, "quantiles")
    expected = pd.qcut(LOSSES, bins, labels=False)
    assert fitted.bin(LOSSES).tolist() == expected.tolist()
    assert fitted.counts.tolist() == np.bincount(expected).tolist()


@pytest.mark.parametrize("spacing", ["equal-width", "quantiles"])
def test_losses_outside_fall_into_the_first_and_last_bin(spacing):
    fitted = fit_bins(LOSSES, 6, spacing)
    assert fitted.bin(np.array([-1.0, LOSSES.min(), LOSSES.max(), 1e9])).tolist() == [0, 0, 5, 5]


def test_a_value_on_an_inner_edge_belongs_above():
    fitted = fit_bins(np.array([0.0, 4.0]), 4, "equal-width")
    assert fitted.bin(np.array([0.999, 1.0, 3.0])).tolist() == [0, 1, 3]


def test_best_is_the_lowest_bin_that_was_reached():
    bins = OutcomeBins(np.linspace(0, 4, 5), np.array([0, 0, 3, 1]))
    assert bins.best == bins.requested("best") == 2


def test_a_requested_loss_is_binned():
    bins = OutcomeBins(np.linspace(0, 4, 5), np.array([1, 1, 3, 1]))
    assert [bins.requested(loss) for loss in (0, 0.5, 1.5, 3.9, 40.0)] == [0, 0, 1, 3, 3]


def test_file_is_fitted_to_the_training_snapshots(zoo, bins):
    losses = np.concatenate([read_member(path).snapshots["validation_loss"] for path in zoo.members[:3]])
    counts, edges = np.histogram(losses, 4)
    fitted = read_bins(bins)
    assert fitted.edges == pytest.approx(edges) and fitted.counts.tolist() == counts.tolist()


def test_without_interpolation_the_position_of_a_loss_is_its_bin():
    fitted = fit_bins(LOSSES, 7, "equal-width")
    assert fitted.position(LOSSES).dtype == np.int64
    assert fitted.position(LOSSES).tolist() == fitted.bin(LOSSES).tolist()


def test_interpolation_by_hand():
    # Bins 0-1, 1-2 and 2-4 have their centres at 0.5, 1.5 and 3.
    bins = OutcomeBins(np.array([0.0, 1, 2, 4]), np.array([1, 1, 1]), interpolate=True)
    losses = np.array([-1, 0.5, 0.75, 1.5, 2.25, 3, 3.9, 50])
    assert bins.position(losses).tolist() == [0, 0, 0.25, 1, 1.5, 2, 2, 2]
    assert bins.position(losses).dtype == np.float32


@pytest.mark.parametrize("interpolate", [True, False])
def test_the_best_request_lies_in_the_best_bin(interpolate):
    bins = OutcomeBins(np.linspace(0, 4, 5), np.array([0, 0, 3, 1]), interpolate)
    assert bins.requested_loss("best") == 2.5 and bins.requested_loss(1.25) == 1.25
    assert bins.position(np.array([2.5])).tolist() == [bins.best]


def test_a_file_stores_interpolation(zoo, bins, tmp_path):
    write_bins(zoo.train, tmp_path / "bins.json", Outcomes(bins=4, interpolate=True))
    assert read_bins(tmp_path / "bins.json").interpolate and not read_bins(bins).interpolate
