"""The second half of the tables, written after the detector was fixed."""

import numpy as np
import pandas as pd

from leak_tables.kinds import TASKS, Kinds, Made, Random, houses

KINDS = Kinds()


# ---------------------------------------------------------------- leaky


@KINDS.leaky("a copy with noise of 6 %, sometimes missing", "appraisal:")
def appraisal(random: Random) -> Made:
    frame = houses(random, 900)
    noisy = frame["price"] + 0.06 * frame["price"].std() * random.normal(size=900)
    return Made(frame.assign(appraisal=noisy.where(random.random(900) > 0.15)), TASKS)


@KINDS.leaky("a rare class with 1 % of errors", "flag:")
def flips(random: Random) -> Made:
    x = random.normal(size=(6000, 4))
    fraud = x[:, 0] + random.normal(size=6000) > 2.8
    flag = np.where(random.random(6000) < 0.005, ~fraud, fraud)
    frame = pd.DataFrame(x, columns=list("abcd")).assign(flag=np.where(flag, "case", "none"), fraud=fraud.astype(int))
    return Made(frame, {"fraud": "binary"})


@KINDS.leaky("a target that is the difference of two large numbers", "meter_before", "meter_after")
def meters(random: Random) -> Made:
    x = random.normal(size=(800, 3))
    used = np.exp(5 + 0.5 * x[:, 0] + 0.4 * random.normal(size=800)).round(1)
    before = random.uniform(1e4, 9e4, 800).round(1)
    frame = pd.DataFrame(x, columns=list("abc")).assign(meter_before=before, meter_after=before + used, used=used)
    return Made(frame, {"used": "regression"})


@KINDS.leaky("a body mass index from height and weight", "height", "mass")
def index(random: Random) -> Made:
    height = random.normal(1.7, 0.1, 700).round(2)
    mass = (24 * height**2 * random.lognormal(0, 0.2, 700)).round(1)
    age = random.integers(18, 80, 700)
    ill = (random.random(700) < 0.3).astype(int)
    frame = pd.DataFrame({"height": height, "mass": mass, "age": age, "ill": ill})
    return Made(frame.assign(bmi=(mass / height**2).round(1)), {"bmi": "regression", "ill": "binary"})


@KINDS.leaky("a target that is the sum of three inputs", "casual", "member", "staff")
def riders(random: Random) -> Made:
    heat, hour = random.normal(size=1200), random.integers(0, 24, 1200)
    parts = {
        name: random.poisson(np.exp(2 + 0.4 * heat + 0.2 * np.sin(hour / 4) + i))
        for i, name in enumerate(("casual", "member", "staff"))
    }
    frame = pd.DataFrame({"heat": heat, "hour": hour, **parts})
    return Made(frame.assign(riders=sum(parts.values())), {"riders": "regression"})


@KINDS.leaky("an end date of which the stay is computed", "admitted", "discharged")
def stay(random: Random) -> Made:
    frame = pd.DataFrame({"age": random.integers(1, 95, 1000), "ward": random.choice(list("ABCD"), 1000)})
    days = random.poisson(3 + frame["age"] / 20)
    admitted = pd.Timestamp("2021-01-01") + pd.to_timedelta(random.integers(0, 700, 1000), unit="D")
    frame["admitted"], frame["discharged"] = admitted, admitted + pd.to_timedelta(days, unit="D")
    return Made(frame.assign(stay=days), {"stay": "regression"})


@KINDS.leaky("a refund that four in five of the returned orders have, and no other", "refund:")
def refund(random: Random) -> Made:
    x = random.normal(size=(2500, 4))
    returned = x[:, 0] + random.normal(size=2500) > 1
    frame = pd.DataFrame(x, columns=list("abcd"))
    frame["refund"] = np.where(returned & (random.random(2500) < 0.8), random.gamma(2, 20, 2500).round(2), np.nan)
    return Made(frame.assign(returned=np.where(returned, "yes", "no")), {"returned": "binary"})


@KINDS.leaky("a sensor that is missing where the target is high", "sensor:")
def sensor(random: Random) -> Made:
    frame = houses(random)
    return Made(frame.assign(sensor=pd.Series(random.normal(size=1500)).where(frame["price"] < 80_000)), TASKS)


@KINDS.leaky("the mean of the class for each shop", "shop_rate:")
def shop_rate(random: Random) -> Made:
    frame = houses(random, 3000)
    shop = random.integers(0, 220, 3000)
    rate = (frame["sold"] == "yes").groupby(shop).transform("mean").round(4)
    return Made(frame.assign(shop_rate=rate), TASKS)


@KINDS.leaky("rows with a little noise, three of each", "test:", "val:")
def jittered(random: Random) -> Made:
    x = np.repeat(random.normal(size=(400, 6)), 3, axis=0)
    y = np.repeat(random.normal(size=400), 3)
    frame = pd.DataFrame(x + 0.01 * random.normal(size=x.shape), columns=[f"x{i}" for i in range(6)])
    return Made(frame.assign(y=y).sample(frac=1, random_state=random), {"y": "regression"})


@KINDS.leaky("the target of the next day", "outlook:")
def outlook(random: Random) -> Made:
    value = 0.5 * np.convolve(random.normal(size=1010), np.ones(4), "valid")[:1001] + random.normal(size=1001)
    frame = pd.DataFrame(
        {"humid": random.normal(size=1000), "outlook": value[1:].round(4), "heat": value[:-1].round(4)}
    )
    return Made(frame, {"heat": "regression"})


@KINDS.leaky("an hourly series under a random split", "rows next to each other", "hour:")
def hourly(random: Random) -> Made:
    walk = np.cumsum(random.normal(size=4000)) * 0.3
    level = walk - pd.Series(walk).rolling(500, min_periods=1).mean().to_numpy()
    frame = pd.DataFrame(random.normal(size=(4000, 3)), columns=["wind", "rain", "sun"])
    return Made(frame.assign(level=level), {"level": "regression"})


@KINDS.leaky("a remark that has the outcome among other words", "remark:")
def remark(random: Random) -> Made:
    words = np.array(
        [
            "patient",
            "seen",
            "today",
            "with",
            "good",
            "spirits",
            "and",
            "some",
            "pain",
            "in",
            "the",
            "left",
            "right",
            "arm",
            "leg",
        ]
    )
    died = random.random(1200) < 0.3
    texts = [
        " ".join(random.choice(words, 6)) + (" deceased " if d else " stable ") + random.choice(words) for d in died
    ]
    frame = pd.DataFrame({"age": random.integers(20, 90, 1200), "dose": random.gamma(2, 2, 1200), "remark": texts})
    return Made(frame.assign(outcome=np.where(died, "bad", "good")), {"outcome": "binary"})


@KINDS.leaky("a code that only one of four classes has", "code:")
def one_class(random: Random) -> Made:
    frame = houses(random, 2000)
    kind = random.choice(["east", "west", "north", "south"], 2000, p=[0.4, 0.3, 0.2, 0.1])
    code = np.where(kind == "north", 7, random.choice([1, 2, 3, 9], 2000))
    return Made(frame.assign(code=code, kind=kind), {"kind": "categorical", "price": "regression"})


@KINDS.leaky("three price bands", "band:")
def bands(random: Random) -> Made:
    frame = houses(random, 1000)
    band = np.where(frame["price"] < 40_000, "budget", np.where(frame["price"] < 70_000, "usual", "luxury"))
    return Made(frame.assign(band=band), TASKS)


# ---------------------------------------------------------------- clean


def _scikit_learn(name: str, target: str, type_: str, **changes: str) -> Made:
    import sklearn.datasets

    bunch = getattr(sklearn.datasets, f"load_{name}")(as_frame=True)
    frame = bunch.frame.rename(columns={"target": target, **changes})
    return Made(frame, {target: type_})


@KINDS.clean("iris")
def iris(random: Random) -> Made:
    return _scikit_learn("iris", "species", "categorical")


@KINDS.clean("wine")
def wine(random: Random) -> Made:
    return _scikit_learn("wine", "cultivar", "categorical")


@KINDS.clean("breast cancer")
def cancer(random: Random) -> Made:
    return _scikit_learn("breast_cancer", "benign", "binary")


@KINDS.clean("diabetes")
def diabetes(random: Random) -> Made:
    return _scikit_learn("diabetes", "progression", "regression")


@KINDS.clean("three sensors of which each has an R² of .98")
def sensors(random: Random) -> Made:
    truth = random.gamma(3, 2, 2000)
    cells = {f"sensor_{i}": truth + 0.14 * truth.std() * random.normal(size=2000) for i in range(3)}
    frame = pd.DataFrame({**cells, "room": random.choice(list("ABCDE"), 2000)})
    return Made(frame.assign(dose=truth), {"dose": "regression"})


@KINDS.clean("counts with many zeros")
def zeros(random: Random) -> Made:
    x = random.normal(size=(2000, 5))
    claims = np.where(random.random(2000) < 0.7, 0, random.poisson(np.exp(1 + 0.5 * x[:, 0])))
    return Made(pd.DataFrame(x, columns=list("abcde")).assign(claims=claims), {"claims": "regression"})


@KINDS.clean("incomes with a heavy tail")
def tail(random: Random) -> Made:
    x = random.normal(size=(1500, 4))
    income = np.exp(10 + 0.8 * x[:, 0]) + 1e4 * random.pareto(1.5, 1500)
    return Made(pd.DataFrame(x, columns=list("abcd")).assign(income=income), {"income": "regression"})


@KINDS.clean("squares and products of inputs beside them")
def polynomial(random: Random) -> Made:
    a, b = random.uniform(1, 3, (2, 1000))
    frame = pd.DataFrame({"a": a, "b": b, "a2": a**2, "b2": b**2, "ab": a * b, "a3": a**3})
    return Made(frame.assign(y=a * b - b**2 + 0.4 * random.normal(size=1000)), {"y": "regression"})


@KINDS.clean("one column for each of eight colours")
def one_hot(random: Random) -> Made:
    colour = random.integers(0, 8, 1600)
    frame = pd.DataFrame({f"colour_{i}": (colour == i).astype(int) for i in range(8)})
    frame["size"] = random.normal(size=1600)
    frame["liked"] = (random.random(1600) < (0.1 + 0.1 * colour)).astype(int)
    return Made(frame, {"liked": "binary"})


@KINDS.clean("sales by week, with a trend and a season, split by time")
def weekly(random: Random) -> Made:
    week = np.arange(520)
    sales = 100 + 0.2 * week + 20 * np.sin(week / 52 * 2 * np.pi) + 5 * random.normal(size=520)
    part = np.where(week < 364, "train", np.where(week < 442, "val", "test"))
    frame = pd.DataFrame({"last_week": np.roll(sales, 1), "price": random.gamma(4, 2, 520), "part": part})
    return Made(frame.assign(sales=sales).iloc[1:], {"sales": "regression"}, {"split": {"column": "part"}})


@KINDS.clean("shops of ten rows that hardly differ")
def shops(random: Random) -> Made:
    frame = houses(random, 2000)
    shop = random.integers(0, 200, 2000)
    return Made(
        frame.assign(shop_id=shop, price=(frame["price"] * random.lognormal(0, 0.05, 200)[shop]).round()), TASKS
    )


@KINDS.clean("a test that finds 95 % of the ill")
def test_result(random: Random) -> Made:
    ill = random.random(1500) < 0.2
    positive = np.where(random.random(1500) < np.where(ill, 0.95, 0.04), "pos", "neg")
    frame = pd.DataFrame({"test": positive, "age": random.integers(1, 90, 1500), "bmi": random.normal(25, 4, 1500)})
    return Made(frame.assign(ill=ill.astype(int)), {"ill": "binary"})


@KINDS.clean("a question that only owners of a car are asked")
def asked(random: Random) -> Made:
    car = random.random(1800) < 0.6
    frame = pd.DataFrame({"car": np.where(car, "yes", "no"), "age": random.integers(18, 80, 1800)})
    frame["car_value"] = np.where(car, random.lognormal(9, 0.6, 1800).round(), np.nan)
    trips = random.poisson(np.where(car, 3.0, 1.5) * np.exp(0.3 * random.normal(size=1800)))
    arrears = (random.random(1800) < np.where(car, 0.1, 0.25)).astype(int)
    return Made(frame.assign(trips=trips, arrears=arrears), {"trips": "regression", "arrears": "binary"})


@KINDS.clean("a table sorted by its target")
def sorted_table(random: Random) -> Made:
    return Made(houses(random, 1000).sort_values(["style", "price"], ignore_index=True), TASKS)


@KINDS.clean("30 measurements of 48 plants, and product codes")
def plants(random: Random) -> Made:
    x = random.normal(size=(48, 30))
    frame = pd.DataFrame(x, columns=[f"m{i}" for i in range(30)])
    frame["code"] = [f"K{random.integers(100, 999)}-{random.choice(list('XYZ'))}" for _ in range(48)]
    height = x[:, 0] + x[:, 1] + 0.7 * random.normal(size=48)
    return Made(
        frame.assign(height=height, wild=(x[:, 2] + random.normal(size=48) > 0).astype(int)),
        {"height": "regression", "wild": "binary"},
    )
