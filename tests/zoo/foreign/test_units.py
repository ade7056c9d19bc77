"""The unit of accuracies follows from the values; contradictions are refused."""

import pandas as pd
import pytest

from wsl.errors import DataError
from wsl.zoo.foreign.importing import accuracy_unit
from wsl.zoo.foreign.run import ForeignRun


def run(name="a", **columns):
    return ForeignRun(name, {}, None, None, pd.DataFrame({"train_loss": 7.0, **columns}), {})


FRACTION = run("f", train_accuracy=[0.1, 1.0], validation_accuracy=[0.0, 0.9])
PERCENT = run("p", train_accuracy=[0.5, 97.0], validation_accuracy=[float("nan"), 100.0])
ZEROS = run("z", train_accuracy=[0.0, 0.0])


@pytest.mark.parametrize(
    ("runs", "option", "unit"),
    [
        ([FRACTION], "auto", 1),
        ([PERCENT], "auto", 100),
        ([ZEROS, PERCENT], "auto", 100),
        ([ZEROS, FRACTION], "auto", 1),
        ([], "auto", 1),
        ([PERCENT, FRACTION], "percent", 100),
        ([FRACTION], "percent", 100),
        ([FRACTION], "fraction", 1),
    ],
)
def test_the_unit_of_a_zoo(runs, option, unit):
    assert accuracy_unit(runs, option) == unit


@pytest.mark.parametrize(
    ("runs", "option", "message"),
    [
        ([FRACTION, PERCENT], "auto", "percent in p, train_accuracy, but like fractions in f, train_accuracy; .*--acc"),
        (
            [run("m", train_accuracy=[0.9], test_accuracy=[90.0])],
            "auto",
            "percent in m, test_accuracy, but .* in m, train",
        ),
        ([PERCENT], "fraction", "p: a train_accuracy of 97 is not an accuracy"),
        ([run(train_accuracy=[101.0])], "auto", "of 101 is not an accuracy"),
        ([run(train_accuracy=[-0.1, 0.5])], "percent", "of -0.1 is not an accuracy"),
    ],
)
def test_what_is_ambiguous_or_impossible_is_refused(runs, option, message):
    with pytest.raises(DataError, match=message):
        accuracy_unit(runs, option)
