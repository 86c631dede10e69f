"""The first half of the tables: those that the detector was built with."""

import string

import numpy as np
import pandas as pd

from leak_tables.kinds import TASKS, Kinds, Made, Random, houses

KINDS = Kinds()


# ---------------------------------------------------------------- leaky


@KINDS.leaky("a scaled copy", "new:")
def scaled(random: Random) -> Made:
    frame = houses(random)
    return Made(frame.assign(new=frame["price"] * 0.92 + 3), TASKS)


@KINDS.leaky("a copy with noise of 2 %", "new:")
def noisy(random: Random) -> Made:
    frame = houses(random)
    noise = 0.02 * frame["price"].std() * random.normal(size=len(frame))
    return Made(frame.assign(new=frame["price"] + noise), TASKS)


@KINDS.leaky("a logarithm with gaps", "new:")
def logarithm(random: Random) -> Made:
    frame = houses(random)
    return Made(frame.assign(new=np.log(frame["price"]).where(random.random(len(frame)) > 0.3)), TASKS)


@KINDS.leaky("a falling rank", "new:")
def rank(random: Random) -> Made:
    frame = houses(random)
    return Made(frame.assign(new=frame["price"].rank(ascending=False)), TASKS)


@KINDS.leaky("rounded to 10,000", "new:")
def rounded(random: Random) -> Made:
    frame = houses(random)
    return Made(frame.assign(new=(frame["price"] / 10_000).round() * 10_000), TASKS)


@KINDS.leaky("deciles as text", "new:")
def deciles(random: Random) -> Made:
    frame = houses(random)
    return Made(frame.assign(new=pd.qcut(frame["price"], 10, labels=list("hbdcagefij")).astype(str)), TASKS)


@KINDS.leaky("a target that is a sum of two inputs", "net", "tax")
def total(random: Random) -> Made:
    frame = houses(random)
    tax = (frame["price"] * random.uniform(0.05, 0.6, len(frame))).round(0)
    return Made(frame.assign(tax=tax, net=frame["price"] - tax), TASKS)


@KINDS.leaky("a target that is a ratio of two inputs", "paid", "square_feet")
def ratio(random: Random) -> Made:
    frame = houses(random)
    feet = (frame["area"] * 10.8 * random.lognormal(0, 0.5, len(frame))).round(0)
    paid = (frame["price"] * feet / 1000).round(0)
    return Made(frame.assign(square_feet=feet, paid=paid, price=paid / feet), TASKS)


@KINDS.leaky("missing exactly where the class is no", "new:")
def missing(random: Random) -> Made:
    frame = houses(random)
    return Made(frame.assign(new=pd.Series(random.normal(size=len(frame))).where(frame["sold"] == "yes")), TASKS)


@KINDS.leaky("an id of a table that was sorted by class", "row:")
def sorted_id(random: Random) -> Made:
    frame = houses(random).sort_values("style", ignore_index=True)
    return Made(frame.assign(row=np.arange(len(frame)) + 1000).sample(frac=1, random_state=random), TASKS)


@KINDS.leaky("several codes of each class", "new:")
def codes(random: Random) -> Made:
    frame = houses(random)
    letters = np.array(list(string.ascii_uppercase))
    return Made(frame.assign(new=letters[random.integers(0, 8, len(frame)) * 2 + (frame["sold"] == "yes")]), TASKS)


@KINDS.leaky("the mean of the target for each street", "street_mean:")
def street_mean(random: Random) -> Made:
    frame = houses(random)
    street = random.integers(0, 150, len(frame))
    return Made(frame.assign(street_mean=frame.groupby(street)["price"].transform("mean")), TASKS)


@KINDS.leaky("copied rows", "test:", "val:")
def copied(random: Random) -> Made:
    frame = houses(random)
    return Made(pd.concat([frame, frame.sample(frac=0.4, random_state=random)], ignore_index=True), TASKS)


@KINDS.leaky("five rows for each patient", "patient:")
def patients(random: Random) -> Made:
    patient = np.repeat(np.arange(300), 5)
    own = random.normal(size=(300, 3))[patient]
    frame = pd.DataFrame({f"x{i}": own[:, i] + 0.3 * random.normal(size=1500) for i in range(3)})
    frame["patient"] = random.permutation([f"P{i:03d}" for i in range(300)])[patient]
    frame["pressure"] = random.normal(size=300)[patient] + 0.5 * random.normal(size=1500)
    return Made(frame.sample(frac=1, random_state=random), {"pressure": "regression"})


@KINDS.leaky("the target inside a text", "new:")
def inside(random: Random) -> Made:
    frame = houses(random)
    number = random.integers(10_000, 99_999, len(frame))
    return Made(frame.assign(new=[f"H{n}/{p:.0f} EUR" for n, p in zip(number, frame["price"], strict=True)]), TASKS)


# ---------------------------------------------------------------- clean


@KINDS.clean("an input with an R² of .95")
def strong(random: Random) -> Made:
    x = random.normal(size=(1500, 4))
    frame = pd.DataFrame(x, columns=list("abcd"))
    return Made(frame.assign(y=x[:, 0] + 0.2 * x[:, 1] + 0.1 * random.normal(size=1500)), {"y": "regression"})


@KINDS.clean("random ids")
def ids(random: Random) -> Made:
    frame = houses(random)
    hashes = ["".join(random.choice(list("0123456789abcdef"), 12)) for _ in range(len(frame))]
    return Made(frame.assign(id=random.permutation(len(frame)), token=hashes), TASKS)


@KINDS.clean("a random city")
def random_city(random: Random) -> Made:
    frame = houses(random)
    return Made(frame.assign(city=[f"city {i}" for i in random.integers(0, 90, len(frame))]), TASKS)


@KINDS.clean("a city that matters")
def city(random: Random) -> Made:
    frame = houses(random)
    which = random.integers(0, 40, len(frame))
    level = random.lognormal(0, 0.3, 40)
    price = (frame["price"] * level[which]).round(0)
    return Made(frame.assign(city=[f"city {i}" for i in which], price=price), TASKS)


@KINDS.clean("500 inputs of 60 rows")
def wide(random: Random) -> Made:
    x = random.normal(size=(60, 500))
    frame = pd.DataFrame(x, columns=[f"gene_{i}" for i in range(500)])
    frame["ill"] = (x[:, 0] + random.normal(size=60) > 0).astype(int)
    return Made(frame.assign(score=x[:, 1] + random.normal(size=60)), {"ill": "binary", "score": "regression"})


@KINDS.clean("noise only")
def noise(random: Random) -> Made:
    frame = pd.DataFrame(random.normal(size=(400, 10)), columns=[f"x{i}" for i in range(10)])
    frame["kind"] = random.choice(["a", "b"], 400)
    return Made(
        frame.assign(y=random.normal(size=400), z=random.choice(list("uvw"), 400)),
        {"y": "regression", "z": "categorical"},
    )


@KINDS.clean("a class of 2 %")
def imbalanced(random: Random) -> Made:
    x = random.normal(size=(3000, 5))
    frame = pd.DataFrame(x, columns=list("abcde"))
    frame["fraud"] = (x[:, 0] + 0.5 * x[:, 1] + 0.5 * random.normal(size=3000) > 2.5).astype(int)
    return Made(frame, {"fraud": "binary"})


@KINDS.clean("constant and nearly constant inputs")
def constant(random: Random) -> Made:
    frame = houses(random)
    rare = (random.random(len(frame)) < 0.003).astype(int)
    return Made(frame.assign(version=3, country="NL", rare=rare), TASKS)


@KINDS.clean("dates spread at random")
def dates(random: Random) -> Made:
    frame = houses(random)
    day = pd.Timestamp("2019-01-01") + pd.to_timedelta(random.integers(0, 900, len(frame)), unit="D")
    return Made(frame.assign(listed=day), TASKS)


@KINDS.clean("an income that more of one class withhold")
def withheld(random: Random) -> Made:
    frame = houses(random)
    gap = random.random(len(frame)) < np.where(frame["sold"] == "yes", 0.1, 0.5)
    return Made(frame.assign(income=np.where(gap, np.nan, random.lognormal(10, 0.5, len(frame)).round())), TASKS)


@KINDS.clean("inputs that are nearly each other's copies")
def correlated(random: Random) -> Made:
    size = random.normal(size=1500)
    frame = pd.DataFrame({name: size + 0.03 * random.normal(size=1500) for name in ("x", "y", "z")})
    frame["colour"] = random.choice(["red", "blue"], 1500)
    return Made(frame.assign(weight=3 * size + 0.6 * random.normal(size=1500)), {"weight": "regression"})


@KINDS.clean("50 rows of houses")
def small(random: Random) -> Made:
    return Made(houses(random, 50), TASKS)


@KINDS.clean("the diamonds with their four usual targets")
def diamonds(random: Random) -> Made:
    return Made(_diamonds(), {"price": "regression", **dict.fromkeys(("cut", "color", "clarity"), "categorical")})


@KINDS.clean("the carat of the diamonds, which their length tells with an R² of .98")
def carat(random: Random) -> Made:
    return Made(_diamonds().sample(8000, random_state=random), {"carat": "regression"})


def _diamonds() -> pd.DataFrame:
    from mtlrun.data.paths import resolve_path
    from mtlrun.data.table import read_table

    return read_table(resolve_path("package:diamonds.csv.gz", "data.path"))


@KINDS.clean("a category that tells the class nine times in ten")
def telling(random: Random) -> Made:
    frame = houses(random)
    shown = np.where(random.random(len(frame)) < 0.9, frame["style"], random.permutation(frame["style"]))
    roofs = {"cottage": "thatch", "villa": "tiles", "block": "flat"}
    return Made(frame.assign(roof=pd.Series(shown).map(roofs)), TASKS)
