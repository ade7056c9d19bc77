"""Principal components compared with those of scikit-learn."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from wsl.errors import DataError
from wsl.weights import solvers
from wsl.weights.solvers import Components, gram_components, gram_matrix, sklearn_components


def matrices():
    rng = np.random.default_rng(0)
    spread = rng.normal(size=(12, 40)) * np.linspace(0.1, 3, 40)
    return {
        "plain": spread,
        "far from zero": spread + 50,
        "tall": rng.normal(size=(30, 6)) * np.arange(1, 7),
        "duplicate rows": np.concatenate([spread[:6], spread[:6], spread[3:5]]),
        "constant columns": np.concatenate([spread, np.full((12, 9), 0.25)], axis=1),
        "rank deficient": rng.normal(size=(12, 3)) @ rng.normal(size=(3, 40)),
        "tiny": spread * 1e-4,
    }


MATRICES = {name: values.astype(np.float32) for name, values in matrices().items()}
each_matrix = pytest.mark.parametrize("values", MATRICES.values(), ids=MATRICES)


def gram(values, k, device="cpu", read=None) -> Components:
    read = read or (lambda part: values[:, part])
    matrix, mean = gram_matrix(read, *values.shape)[:2]
    return gram_components(matrix, mean, read, k, device)


def rank(values):
    return np.linalg.matrix_rank(values.astype(float) - values.mean(0, dtype=float), tol=1e-5 * np.ptp(values))


def error(values, components):
    """Squared error of a projection of the centred values on orthonormal components."""
    centred = values.astype(float) - values.mean(0, dtype=float)
    return ((centred - centred @ components.T @ components) ** 2).sum()


@each_matrix
def test_gram_equals_scikit_learns_full_pca(values):
    k = min(4, rank(values))
    ours, expected = gram(values, k), PCA(k, svd_solver="full").fit(values.astype(float))
    assert ours.variance == pytest.approx(expected.explained_variance_, rel=1e-4)
    cosines = (ours.components * expected.components_).sum(1)
    assert np.abs(cosines) == pytest.approx(np.ones(k), abs=1e-4)
    assert error(values, ours.components) == pytest.approx(error(values, expected.components_), rel=1e-3, abs=1e-8)


@each_matrix
def test_all_components_leave_no_error(values):
    components, variance = gram(values, min(len(values) - 1, values.shape[1]))
    assert len(components) == len(variance) == rank(values)
    assert components @ components.T == pytest.approx(np.eye(rank(values)), abs=1e-4)
    assert error(values, components) <= 1e-9 * error(values, np.zeros((1, values.shape[1])))


@each_matrix
def test_streaming_in_blocks_changes_nothing(values, monkeypatch):
    whole, parts = gram(values, 3), []
    monkeypatch.setattr(solvers, "BLOCK_BYTES", 4 * len(values) * 7)  # seven columns at a time

    def read(part):
        parts.append(part)
        return values[:, part]

    streamed, mean = gram(values, 3, read=read), gram_matrix(read, *values.shape)[1]
    assert {part.stop - part.start for part in parts} <= {7, values.shape[1] % 7}
    assert mean == pytest.approx(values.mean(0, dtype=float))
    assert streamed.variance == pytest.approx(whole.variance, rel=1e-6)
    assert streamed.components == pytest.approx(whole.components, abs=1e-5)


def test_an_error_while_reading_a_block_is_raised(monkeypatch):
    values = MATRICES["plain"]
    monkeypatch.setattr(solvers, "BLOCK_BYTES", 4 * len(values) * 7)

    def read(part):
        if part.start >= 14:
            raise DataError("member 3 is damaged")
        return values[:, part]

    with pytest.raises(DataError, match="member 3 is damaged"):
        gram_matrix(read, *values.shape)


def test_a_deviation_far_below_the_mean_is_not_lost():
    rng = np.random.default_rng(2)
    exact = 1 + rng.normal(size=(50, 5)) @ rng.normal(size=(5, 3000)) * 1e-5
    values = exact.astype(np.float32)
    expected = PCA(5, svd_solver="full").fit(values.astype(float))
    ours = gram(values, 5)
    assert ours.variance == pytest.approx(expected.explained_variance_, rel=1e-6)
    assert error(values, ours.components) == pytest.approx(error(values, expected.components_), rel=1e-6)


@each_matrix
def test_products_by_torch_give_the_same_components(values):
    by_numpy, by_torch = gram(values, 3), gram(values, 3, device="cpu:0")  # as on a GPU
    assert by_torch.variance == pytest.approx(by_numpy.variance, rel=1e-5)
    assert by_torch.components == pytest.approx(by_numpy.components, abs=1e-4)


@pytest.mark.parametrize("solver", ["full", "randomized", "incremental"])
@each_matrix
def test_no_solver_beats_the_exact_one(values, solver):
    k = min(3, rank(values))
    components, _ = sklearn_components(solver, lambda part: values[:, part], *values.shape, k, seed=0)
    assert components.shape == (k, values.shape[1])
    assert error(values, components) >= error(values, gram(values, k).components) * (1 - 1e-6) - 1e-9


@pytest.mark.parametrize(("rows", "k"), [(200, 5), (130, 100), (65, 64)])
def test_incremental_sees_every_row_whatever_its_batches(rows, k):
    values = np.random.default_rng(1).normal(size=(rows, 120)).astype(np.float32)
    values[-1] *= 40  # the last row, alone in what full batches leave over, dominates the first component
    components, _ = sklearn_components("incremental", lambda part: values[:, part], *values.shape, k, seed=0)
    assert len(components) == k
    cosine = components[0] @ values[-1] / np.linalg.norm(values[-1])
    assert abs(cosine) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("solver", ["gram", "full", "randomized", "incremental"])
def test_signs_are_fixed(solver):
    for values in (MATRICES["plain"], -MATRICES["plain"]):
        if solver == "gram":
            components, _ = gram(values, 4)
        else:
            components, _ = sklearn_components(solver, lambda part, v=values: v[:, part], *values.shape, 4, seed=0)
        assert (components[range(4), np.abs(components).argmax(1)] > 0).all()
