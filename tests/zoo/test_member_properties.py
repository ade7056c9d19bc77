"""Members' files and their index, for any content."""

import shutil

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.networks import resnet18_layout
from wsl.zoo.index import open_zoo, read_weights, write_index
from wsl.zoo.member import Member, read_member, write_members

LAYOUT = resnet18_layout(1, 2)
# Names of classes and snapshots; other names are refused before anything is written.
words = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12)
columns = st.lists(
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8), min_size=1, max_size=4, unique=True
)
numbers = st.floats(allow_nan=False) | st.just(float("nan"))


def values(kind):
    return arrays.arrays(
        kind, st.tuples(st.integers(0, 3), st.integers(0, 40)), elements=st.floats(width=kind.itemsize * 8)
    )


@st.composite
def tables(draw, rows):
    table = {}
    for name in draw(columns):
        kind = draw(st.sampled_from([words, numbers, st.integers(-(2**63), 2**63 - 1), st.booleans()]))
        table[name] = draw(st.lists(kind, min_size=rows, max_size=rows))
    return pd.DataFrame(table)


@st.composite
def members(draw):
    weights = draw(st.sampled_from([np.dtype(np.float32), np.dtype(np.float16)]).flatmap(values))
    plan = {"member": draw(st.integers(0, 10**7)), "classes": draw(st.lists(words, max_size=3))}
    counters = draw(arrays.arrays(np.int64, (len(weights), 5)))
    snapshots, history = draw(tables(len(weights))), draw(tables(draw(st.integers(0, 3))))
    return Member(plan, weights, counters, snapshots, history, diverged=draw(st.booleans()), layout=LAYOUT)


def same(table, other):
    assert list(table.columns) == list(other.columns)
    for name in table.columns:
        floats = table[name].dtype.kind == "f"
        assert np.array_equal(table[name].to_numpy(), other[name].to_numpy(), equal_nan=floats), name


@given(members())
def test_what_is_written_is_read(tmp_path_factory, member):
    path = tmp_path_factory.mktemp("member") / "köttbullar 食.h5"
    write_members(path, [member])
    again = read_member(path)
    assert again.plan == member.plan and again.diverged == member.diverged
    assert again.weights.dtype == np.float32
    assert np.array_equal(again.weights, member.weights.astype(np.float32), equal_nan=True)
    assert np.array_equal(again.counters, member.counters)
    same(again.snapshots, member.snapshots)
    same(again.history, member.history)
    shutil.rmtree(path.parent)


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.booleans()), min_size=1, max_size=5), st.integers(0, 2**32)
)
def test_an_index_is_the_members_one_after_the_other(tmp_path_factory, kinds, seed):
    folder, rng = tmp_path_factory.mktemp("index"), np.random.default_rng(seed)
    paths, kept = [], []
    # The last one did not diverge, since an index needs such a member.
    for place, (count, half, diverged) in enumerate([*kinds, (2, False, False)]):
        weights = rng.normal(size=(count, LAYOUT.size)).astype(np.float16 if half else np.float32)
        table = pd.DataFrame({"snapshot": [f"epoch{epoch}" for epoch in range(count)], "epoch": range(count)})
        history = pd.DataFrame({"epoch": range(count), "train_loss": rng.random(count)})
        plan = {"member": place, "classes": ["köttbullar 食", "l'été"], "width": 1}
        paths.append(folder / "members" / f"{place:05d}.h5")
        counters = rng.integers(0, 99, (count, len(LAYOUT.counters)))
        write_members(paths[-1], [Member(plan, weights, counters, table, history, diverged, LAYOUT)])
        if not diverged:
            kept.append((place, weights.astype(np.float32), counters))
    write_index(paths, folder / "train.h5")
    expected = np.concatenate([weights for _, weights, _ in kept])
    low, high = sorted(rng.integers(0, len(expected) + 1, 2).tolist())
    with open_zoo(folder / "train.h5") as opened:
        assert np.array_equal(read_weights(opened), expected)
        assert np.array_equal(read_weights(opened, slice(low, high), slice(3, 99)), expected[low:high, 3:99])
        assert np.array_equal(opened.counters, np.concatenate([counters for _, _, counters in kept]))
        numbers = np.concatenate([np.full(len(weights), place) for place, weights, _ in kept])
        assert opened.snapshots["member"].tolist() == numbers.tolist()
        assert set(opened.snapshots["task"]) == {"köttbullar 食/l'été"}
        assert len(opened.members) == len(paths)
    shutil.rmtree(folder)
