"""A net for several targets as a scikit-learn estimator."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.metrics import r2_score
from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from mtlrun.api.comparison_study import Study, compared, tuned
from mtlrun.api.fitted_run import FittedRun
from mtlrun.api.parameters import choices, key_of, words_of
from mtlrun.api.training_table import Targets, TrainingTable, training_table
from mtlrun.api.workplace import DEFAULTS, QUIET, RUN, train_run, workplace
from mtlrun.storage.names import METRICS, SUMMARY

OWN = ("targets", "seed", "verbose")  # the parameters that are no overrides


def _may_have_classes(estimator: "MultiTaskEstimator") -> bool:
    return not hasattr(estimator, "run_") or bool(estimator.run_.classes)


class MultiTaskEstimator(BaseEstimator):
    """Learns several targets in one model, by the code of the command line.

    targets: the columns to predict, as a list, or as a mapping to their types ("regression", "binary",
        "categorical", "count") or to the settings of their tasks ({"type": "regression", "loss": "huber"}). None: all
        columns of y, with inferred types
    seed: for initial parameters, order of batches and the split into train and val
    verbose: prints the lines that a run prints
    overrides: any other key of the configuration, with its groups (loss="uncertainty", lr="per_head",
        model="boosting"). Two underscores stand for a dot: lr__base=0.01; or write **{"lr.base": 0.01}

    By default 85 % of the rows are train and 15 % val, which ends the training and selects the parameters.
    `data__split__test=0.15, data__split__train=0.7` keeps test rows, whose figures are then in `figures_`.

    After `fit`:
    run_: the trained run; `run_.predictor` is its model, `mtlrun.runs.predictor.Predictor`
    tasks_: task -> its column. types_: column -> the type of its task
    figures_: SPLIT/TASK/METRIC -> value, of the selected parameters
    curves_: the rows of metrics.csv: epoch, step, split, task, metric, value
    seconds_: the time of the training
    classes_: the classes of a single target `[K]`, or by target; targets with numbers are left out
    n_features_in_, feature_names_in_: as in scikit-learn
    """

    def __init__(self, targets: Targets = None, seed: int = 0, verbose: bool = False, **overrides: Any) -> None:
        self.targets = targets
        self.seed = seed
        self.verbose = verbose
        self._overrides = overrides

    # ------------------------------------------------------------ parameters

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name, with the overrides."""
        return {name: getattr(self, name) for name in OWN} | self._overrides

    def set_params(self, **params: Any) -> Self:
        """Sets parameters and overrides. An override that is None is the null of the configuration: it is kept."""
        for name, value in params.items():
            if name in OWN:
                setattr(self, name, value)
            else:
                same = next((known for known in self._overrides if key_of(known) == key_of(name)), name)
                self._overrides[same] = value
        return self

    def words(self, defaults: Sequence[str] = DEFAULTS) -> list[str]:
        """The overrides of the command line that train as `fit` does, but for those of the table."""
        given = words_of({"seed": self.seed, **self._overrides})
        keys = {word.partition("=")[0] for word in given}
        return [*(word for word in defaults if word.partition("=")[0] not in keys), *given]

    # ------------------------------------------------------------ fitting

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Trains on inputs X `[N, D]` and targets y `[N, T]` or `[N]`, or on one frame X that holds the targets too.

        Frames of pandas, polars and others, or arrays. Missing inputs are imputed; a missing target is NaN or None,
        and the row still counts for the other targets. sample_weight: `[N]`, from 0.

        Raises ValueError if the data or an override is wrong, and mtlrun.util.errors.TrainingError if the training
        fails. Warns of leaks and of a training that did not end well.
        """
        table = training_table(X, y, self.targets, sample_weight)
        with workplace(table, self.verbose) as (folder, words):
            train_run([*words, *self.words()], folder / RUN)
            self._take(table, folder / RUN)
        return self

    def _take(self, table: TrainingTable, folder: Path) -> None:
        """Takes over a trained run."""
        for name in ("classes_", "feature_names_in_"):  # of an earlier fit
            self.__dict__.pop(name, None)
        self.run_ = FittedRun(table, folder)
        self.tasks_, self.types_ = self.run_.columns, self.run_.types
        summary = json.loads(self.run_.files[SUMMARY])
        self.figures_: dict[str, float] = summary["figures"]
        self.seconds_: float = summary["seconds"]
        self.curves_ = pd.read_csv(io.BytesIO(self.run_.files[METRICS]))
        if classes := self.run_.classes:
            self.classes_ = next(iter(classes.values())) if table.single else classes
        self.n_features_in_ = len(table.inputs)
        if table.named:
            self.feature_names_in_ = np.array(table.inputs, dtype=object)

    # ------------------------------------------------------------ predicting

    def predict(self, X: Any) -> Any:
        """The most probable class, or the number in the unit of the target, for each row of X.

        Of a single target `[N]`; of several a frame of the kind of X, or an array `[N, T]` if X is one.
        """
        check_is_fitted(self, "run_")
        found = self.run_.predicted(X)
        return self.run_.in_form(pd.DataFrame({column: found[task] for task, column in self.tasks_.items()}), X)

    @available_if(_may_have_classes)
    def predict_proba(self, X: Any) -> Any:
        """The probabilities of the classes, in the order of `classes_`.

        Of a single target `[N, K]`; of several a mapping of each target with classes to its `[N, K]`.
        """
        check_is_fitted(self, "run_")
        found, classes = self.run_.predicted(X), self.run_.classes
        values = {
            column: found[[name for name in found.columns if name.startswith(f"{task}[")]].to_numpy()
            for task, column in self.tasks_.items()
            if column in classes
        }
        return next(iter(values.values())) if self.run_.single else values

    def predict_interval(self, X: Any, level: float = 0.9) -> Any:
        """Intervals that hold this share of new rows, by conformal residuals of the val rows, for targets with numbers.

        Of a single target `[N, 2]`, the ends; of several a frame with the columns TARGET[low] and TARGET[high].
        Raises ValueError if no target has numbers, or if val has too few rows for the level.
        """
        check_is_fitted(self, "run_")
        if not 0 < level < 1:
            raise ValueError(f"level: found {level}; allowed: a share between 0 and 1, such as 0.9")
        found = self.run_.predicted(X, level)
        columns = {
            f"{column}[{end}]": found[f"{task}[{end}]"].to_numpy()
            for task, column in self.tasks_.items()
            if f"{task}[low]" in found
            for end in ("low", "high")
        }
        return self.run_.in_form(pd.DataFrame(columns), X, one=False)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The mean of `scores` over the targets."""
        return float(np.mean([*self.scores(X, y, sample_weight).values()]))

    def scores(self, X: Any, y: Any = None, sample_weight: Any = None) -> dict[str, float]:
        """Target -> r² (numbers) or accuracy (classes), as scikit-learn's estimators score.

        Rows without a label of a target are left out for it. X may hold the targets, as in `fit`.
        """
        check_is_fitted(self, "run_")
        found = self.run_.predicted(X)
        targets = list(self.tasks_.values()) if y is None or not self.run_.single else self.targets
        labels = training_table(X, y, targets).frame
        scores = {}
        for task, column in self.tasks_.items():
            known = labels[column].notna().to_numpy()
            weight = None if sample_weight is None else np.asarray(sample_weight)[known]
            true, predicted = labels[column][known].to_numpy(), found[task][known].to_numpy()
            if column in self.run_.classes:
                scores[column] = float(np.average(true == predicted, weights=weight))
            else:
                scores[column] = float(r2_score(true, predicted, sample_weight=weight))
        return scores

    # ------------------------------------------------------------ comparing

    def compare(
        self, X: Any, y: Any = None, settings: Mapping[str, Mapping[str, Any]] | None = None, seeds: int = 8
    ) -> Study:
        """Trains settings on several seeds, each with a split of its own, and compares them on test rows.

        settings: label -> parameters that it changes. None: this estimator, plain sum, uncertainty, a net for each
        target, and boosting. The estimator itself is not fitted. Data as in `fit`; raises as `fit`.
        """
        if not isinstance(seeds, int) or seeds < 1:
            raise ValueError(f"seeds: found {seeds!r}; allowed: the number of seeds, such as 8")
        if settings is not None and not isinstance(settings, Mapping):
            raise TypeError("settings: a mapping of labels to parameters, {'slow': {'lr.base': 1e-4}}")
        table = training_table(X, y, self.targets)
        with workplace(table, self.verbose) as (folder, words):
            return compared([*words, *self.words([QUIET])], folder / "compare", settings, self.seed, seeds)

    def tune(
        self,
        X: Any,
        y: Any = None,
        minutes: float | None = None,
        runs: int | None = None,
        seeds: int | None = None,
        space: Mapping[str, Sequence[Any] | str] = MappingProxyType({}),
        fixed: Sequence[str] = (),
    ) -> Study:
        """Searches settings, confirms the best on fresh seeds beside the default, single nets and boosting, and fits.

        minutes, runs: the bounds of the search; None: 120 runs. seeds: of the confirmation
        space: key -> values to search, or a range in Hydra's words ("tag(log,interval(1e-4,1e-1))"), beside or in place
        of the usual ones. fixed: keys and groups that are not searched, besides the parameters of this estimator

        Sets what is shown to be better than this estimator's own settings (`best` of the result; `found` is the best
        on val, shown or not), and fits on the data; raises as `fit`.
        """
        table = training_table(X, y, self.targets)
        bounds = {"tune.minutes": minutes, "tune.runs": runs, "tune.seeds": seeds, "tune.fixed": fixed or None}
        more = words_of({key: value for key, value in bounds.items() if value is not None})
        more += [f"tune.space.{key_of(key)}={choices(values)}" for key, values in space.items()]
        with workplace(table, self.verbose) as (folder, words):
            study = tuned([*words, *self.words([QUIET]), *more], folder)
        self.set_params(**study.best).fit(X, y)
        return study

    # ------------------------------------------------------------ keeping

    def save(self, folder: str | Path) -> Path:
        """Writes the run into a new folder, for `mtlrun.load` and the command line (predict, export). Returns its path.

        Raises FileExistsError if the folder holds anything, ValueError for model=boosting, whose trees are fitted
        again from the table: train it by the command line.
        """
        check_is_fitted(self, "run_")
        if self.run_.predictor.config.boosting:
            raise ValueError("save: model=boosting keeps no trees; train it by the command line to keep it")
        path = Path(folder)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise FileExistsError(f"save: {path} exists and is not an empty folder")
        self.run_.write(path)
        return path

    def __sklearn_tags__(self) -> Tags:
        """What scikit-learn may expect: several targets, text, categories and missing values as inputs."""
        tags = super().__sklearn_tags__()
        tags.target_tags = TargetTags(required=True, multi_output=True)
        tags.input_tags = InputTags(string=True, categorical=True, allow_nan=True)
        if hasattr(self, "run_") and self.run_.single:  # scorers ask a fitted estimator
            tags.estimator_type = "classifier" if self.run_.classes else "regressor"
            tags.classifier_tags = ClassifierTags() if self.run_.classes else None
            tags.regressor_tags = None if self.run_.classes else RegressorTags()
        return tags
