"""The second stage: eq. 3.1, its normalisation, and its training."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn

from wsl.jobs.job import Job
from wsl.weights import training
from wsl.weights.coefficients import LinearCodec
from wsl.weights.encoders._autoencoder import PcaEncoder, WeightAutoencoder
from wsl.weights.encoders.pca_ae import PcaAutoencoder
from wsl.weights.fitted import load_encoder, load_states
from wsl.weights.pca import ParameterPCA
from wsl.weights.training import Training, checkpoint_epochs, fit_and_write
from wsl.zoo.layout import Entry, Layout

# A first stage without effect, to test the second.
PLAIN = ParameterPCA("x", "centred", np.zeros(6, np.float32), -np.inf, np.empty((0, 6), np.float32), np.empty(0), 1.0)
LINEAR = LinearCodec([PLAIN], Layout((Entry("x", (6,), 0),), ()))
RECIPE = {"learning_rate": 0.01, "batch_size": 16, "epochs": 150, "schedule": "cosine"}


@pytest.fixture
def parts():
    """Coefficients of 48 and 16 models, 6 numbers of very different scales around 3."""
    rng = np.random.default_rng(0)
    counts, scales = {"train": 48, "validation": 16}, np.array([1e-3, 0.1, 1, 5, 20, 100])
    return {
        part: torch.from_numpy(np.float32(rng.normal(size=(count, 6)) * scales + 3)) for part, count in counts.items()
    }


@pytest.fixture
def fit(parts, tmp_path, monkeypatch):
    """Train on the parts; returns the paths of the state, the history and the checkpoints."""

    def run(latent=6, hidden=(), normalise="per-coefficient", count=5, name="ae", **changes):
        paths = [tmp_path / f"{name}{end}" for end in (".safetensors", ".csv", "_states.safetensors")]
        torch.manual_seed(0)
        encoder = PcaEncoder(LINEAR, latent, hidden)
        encoder.autoencoder.normalised.fit(parts["train"], normalise)
        sizes = {part: len(values) for part, values in parts.items()}
        settings = PcaAutoencoder(**{**RECIPE, **changes})
        monkeypatch.setattr(training, "CHECKPOINTS", count)

        def loss(part, rows):
            return encoder.autoencoder.loss(parts[part][rows])

        fit_and_write(settings, Training(encoder, loss, sizes), *paths, Job())
        return paths

    return run


def test_loss_is_eq_3_1_by_hand():
    module = WeightAutoencoder(coefficients=2, latent=1)
    module.load_state_dict(
        {
            "encoder.0.weight": torch.tensor([[1.0, 0.0]]),  # keeps the first number, loses the second
            "encoder.0.bias": torch.tensor([0.0]),
            "decoder.0.weight": torch.tensor([[1.0], [0.0]]),
            "decoder.0.bias": torch.tensor([0.5, 0.0]),
            "normalised.mean": torch.tensor([1.0, 0.0]),
            "normalised.scale": torch.tensor([2.0, 1.0]),
        }
    )
    # Normalised: (0, 2) and (1, -4); reconstructed: (0.5, 0) and (1.5, 0).
    # Squared norms of the errors: 0.25 + 4 and 0.25 + 16; summed over numbers, averaged over models.
    coefficients = torch.tensor([[1.0, 2.0], [3.0, -4.0]])
    assert module.loss(coefficients).item() == pytest.approx((4.25 + 16.25) / 2)
    assert module.encode(coefficients).tolist() == [[0.0], [1.0]]
    assert module.decode(torch.tensor([[0.0], [1.0]])).tolist() == [[2.0, 0.0], [4.0, 0.0]]


def test_without_hidden_layers_it_is_two_linear_maps():
    module = WeightAutoencoder(coefficients=7, latent=3)
    assert [type(layer) for layer in (*module.encoder, *module.decoder)] == [nn.Linear, nn.Linear]
    a, b, zero = torch.randn(5, 7), torch.randn(5, 7), torch.zeros(5, 7)
    affine = module.encode(a) + module.encode(b) - module.encode(zero)
    assert torch.allclose(module.encode(a + b), affine, atol=1e-5)


def test_hidden_layers_are_mirrored():
    module = WeightAutoencoder(coefficients=10, latent=2, hidden=[6, 4], dropout=0.1)
    layers = [layer for layer in (*module.encoder, *module.decoder) if isinstance(layer, nn.Linear)]
    sizes = [(layer.in_features, layer.out_features) for layer in layers]
    assert sizes == [(10, 6), (6, 4), (4, 2), (2, 4), (4, 6), (6, 10)]
    assert isinstance(module.encoder[-1], nn.Linear) and isinstance(module.decoder[-1], nn.Linear)


def test_per_coefficient_normalisation_is_scikit_learns_scaler():
    values = torch.randn(40, 5) * torch.tensor([1e-3, 1.0, 10.0, 100.0, 0.0]) + 2
    module = WeightAutoencoder(coefficients=5, latent=2)
    module.normalised.fit(values, "per-coefficient")
    expected = StandardScaler().fit_transform(values.double().numpy())
    assert module.normalised(values).numpy() == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("normalise", ["per-coefficient", "global"])
def test_decode_undoes_the_normalisation(normalise):
    values = torch.randn(40, 4) * torch.tensor([1.0, 10.0, 100.0, 0.0]) + 7
    module = WeightAutoencoder(coefficients=4, latent=4)
    module.encoder, module.decoder = nn.Identity(), nn.Identity()
    module.normalised.fit(values, normalise)
    assert torch.allclose(module.decode(module.encode(values)), values, atol=1e-4)


def test_a_wide_enough_latent_reconstructs_nearly_all(fit, parts):
    state, history, _ = fit(latent=6)
    values = parts["validation"]
    module = load_encoder(state, LINEAR)
    with torch.no_grad():
        left = ((module.decode(module.encode(values)) - values) ** 2).mean(0) / values.var(0)
    assert left.max() < 1e-3
    losses = pd.read_csv(history)
    assert losses["validation_loss"].iloc[-1] < 0.01 * losses["validation_loss"].iloc[0]


def test_a_narrow_latent_loses_at_least_the_least_components(fit, parts):
    state, *_ = fit(latent=2)
    values = parts["train"]
    # Six independent numbers of deviation 1 in a latent of two: at least the four smallest components are lost.
    spectrum = np.linalg.eigvalsh(np.cov(StandardScaler().fit_transform(values), rowvar=False, bias=True))
    loss = load_encoder(state, LINEAR).autoencoder.loss(values).item()
    assert loss >= spectrum[:4].sum() * 0.999


def test_checkpoints_span_the_training(fit, parts):
    state, history, checkpoints = fit(count=5, keep="last")
    kept, values = load_states(checkpoints, LINEAR), parts["validation"]
    assert min(kept) == 0 and max(kept) == RECIPE["epochs"] and len(kept) == 5
    losses = {epoch: module.autoencoder.loss(values).item() for epoch, module in kept.items()}
    recorded = pd.read_csv(history).set_index("epoch")["validation_loss"]
    for epoch in list(kept)[1:]:
        assert losses[epoch] == pytest.approx(recorded[epoch], rel=1e-4)
    assert losses[0] > losses[RECIPE["epochs"]]
    last, final = kept[RECIPE["epochs"]].state_dict(), load_encoder(state, LINEAR).state_dict()
    assert all(torch.equal(last[name], final[name]) for name in final)


def test_the_state_of_lowest_validation_loss_is_kept(fit, parts):
    state, history, checkpoints = fit(latent=2, hidden=[64], epochs=60, learning_rate=0.03, schedule="constant")
    losses = pd.read_csv(history)
    best = losses["validation_loss"].idxmin()
    assert best < len(losses) - 1  # otherwise the last state would do as well
    assert losses["kept"].to_numpy().nonzero()[0].tolist() == [best]
    values = parts["validation"]
    loss = load_encoder(state, LINEAR).autoencoder.loss(values).item()
    assert loss == pytest.approx(losses["validation_loss"][best], rel=1e-4)
    checkpoint = load_states(checkpoints, LINEAR)[losses["epoch"][best]].state_dict()
    assert all(torch.equal(checkpoint[name], value) for name, value in load_encoder(state, LINEAR).state_dict().items())


@pytest.mark.parametrize("how", ["per-coefficient", "global"])
def test_constant_coefficients_stay_finite(how):
    module = WeightAutoencoder(3, 2)
    module.normalised.fit(torch.full((4, 3), 7.0), how)
    assert torch.equal(module.normalised(torch.full((1, 3), 7.0)), torch.zeros(1, 3))


@pytest.mark.parametrize("changes", [{}, {"hidden": (8,), "normalise": "global"}])
def test_same_seed_gives_the_same_bytes(fit, changes):
    first, second = (fit(epochs=5, name=name, **changes) for name in ("first", "second"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize(("epochs", "count"), [(200, 12), (1, 2), (50, 2), (3, 10), (1000, 5)])
def test_checkpoint_epochs_run_from_the_first_to_the_last(epochs, count):
    chosen = checkpoint_epochs(epochs, count)
    assert chosen[0] == 0 and chosen[-1] == epochs
    assert chosen == sorted(set(chosen)) and len(chosen) <= count


def test_most_checkpoints_are_early():
    chosen = checkpoint_epochs(200, 12)
    assert sum(epoch <= 50 for epoch in chosen) > sum(epoch > 50 for epoch in chosen)
