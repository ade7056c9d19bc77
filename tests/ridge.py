"""Ridge regression as scikit-learn fits it, with penalties chosen by leaving out members."""

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wsl.evaluation.ridge import PENALTIES


def searched_ridge(features, target, members):
    """Return a fitted model of features (n, k), which are standardised over all rows."""
    search = GridSearchCV(Ridge(), {"alpha": PENALTIES}, cv=LeaveOneGroupOut(), scoring=_total_error)
    scaler = StandardScaler().fit(features)
    search.fit(scaler.transform(features), target, groups=members)
    return make_pipeline(scaler, search)


def _total_error(model, features, target):
    """The sum over rows, since members with more snapshots count for more."""
    return -np.square(model.predict(features) - target).sum()
