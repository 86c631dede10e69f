"""A third part of the tables, written after the second half had shown what to mend; nothing was changed for these."""

import numpy as np
import pandas as pd

from leak_tables.kinds import TASKS, Kinds, Made, Random, houses

KINDS = Kinds()


def patients(random: Random, rows: int = 1000) -> pd.DataFrame:
    """A clean table of one row for each patient: cost (numbers), readmitted (two classes), severity (four)."""
    age, weight = random.integers(18, 95, rows), random.normal(78, 14, rows).round(1)
    smoker, ward = random.random(rows) < 0.25, random.choice(["A", "B", "C", "D", "E"], rows)
    sick = 0.03 * (age - 50) + 0.8 * smoker + random.normal(size=rows)
    frame = pd.DataFrame({"age": age, "weight": weight, "smoker": smoker, "ward": ward})
    frame["creatinine"] = np.exp(0.2 * sick + 0.3 * random.normal(size=rows)).round(2)
    frame["cost"] = np.exp(7 + 0.6 * sick + 0.5 * random.normal(size=rows)).round(2)
    frame["readmitted"] = (sick + random.logistic(size=rows) > 1).astype(int)
    frame["severity"] = pd.cut(sick, [-99, -0.7, 0.4, 1.5, 99], labels=["low", "mild", "high", "acute"]).astype(str)
    return frame


CARE = {"cost": "regression", "readmitted": "binary", "severity": "categorical"}

# ---------------------------------------------------------------- leaky


@KINDS.leaky("an invoice in another currency, rounded to tens", "invoice:")
def invoice(random: Random) -> Made:
    frame = patients(random)
    return Made(frame.assign(invoice=(frame["cost"] * 1.13).round(-1)), CARE)


@KINDS.leaky("classes in another language, a few wrong", "ernst:")
def language(random: Random) -> Made:
    frame = patients(random)
    words = frame["severity"].map({"low": "gering", "mild": "leicht", "high": "hoch", "acute": "akut"})
    wrong = random.random(len(frame)) < 0.008
    return Made(frame.assign(ernst=np.where(wrong, random.permutation(words), words)), CARE)


@KINDS.leaky("a bed number that was given by class", "bed:")
def bed(random: Random) -> Made:
    frame = patients(random)
    start = frame["severity"].map({"low": 500, "mild": 100, "high": 700, "acute": 300})
    return Made(frame.assign(bed=start + random.integers(0, 150, len(frame))), CARE)


@KINDS.leaky("shares of two payers that add up to the cost, with roundings", "insurer", "own")
def payers(random: Random) -> Made:
    frame = patients(random)
    share = random.beta(5, 2, len(frame))
    own = (frame["cost"] * (1 - share)).round(0)
    return Made(frame.assign(own=own, insurer=(frame["cost"] * share).round(0)), CARE)


@KINDS.leaky("hours and an hourly rate", "hours", "rate")
def wage(random: Random) -> Made:
    frame = houses(random, 900)
    hours = random.uniform(5, 50, 900).round(1)
    return Made(frame.assign(hours=hours, rate=(frame["price"] / hours).round(2)), TASKS)


@KINDS.leaky("a class that says whether one number exceeds another", "due", "paid")
def late(random: Random) -> Made:
    due = random.uniform(0, 60, 2000).round(1)
    paid = (due + 8 * random.normal(size=2000)).round(1)
    frame = pd.DataFrame({"amount": random.gamma(2, 50, 2000), "due": due, "paid": paid})
    return Made(frame.assign(late=(paid > due).astype(int)), {"late": "binary"})


@KINDS.leaky("a cause that only the readmitted have", "cause:")
def cause(random: Random) -> Made:
    frame = patients(random)
    words = pd.Series(random.choice(["infection", "fall", "pain"], len(frame)))
    return Made(frame.assign(cause=words.where(frame["readmitted"] == 1)), CARE)


@KINDS.leaky("a claim number that is missing where there is no damage", "claim:")
def claim(random: Random) -> Made:
    x = random.normal(size=(1500, 3))
    damage = np.where(random.random(1500) < 0.6, 0, random.gamma(2, 300, 1500) * np.exp(0.3 * x[:, 0])).round(2)
    claim = np.where(damage > 0, random.integers(10**6, 10**7, 1500), np.nan)
    return Made(pd.DataFrame(x, columns=list("abc")).assign(claim=claim, damage=damage), {"damage": "regression"})


@KINDS.leaky("schools of 25 pupils with an id", "school_id:")
def schools(random: Random) -> Made:
    school = random.integers(0, 80, 2000)
    level = random.normal(size=80)[school]
    frame = pd.DataFrame({"school_id": school, "books": random.poisson(20, 2000), "sister": random.random(2000) < 0.5})
    return Made(frame.assign(mark=(6 + level + random.normal(size=2000)).round(1)), {"mark": "regression"})


@KINDS.leaky("pictures of one object in a row", "rows next to each other", "object:")
def objects(random: Random) -> Made:
    which = np.repeat(np.arange(250), 8)
    frame = pd.DataFrame(random.normal(size=(2000, 4)), columns=["red", "green", "blue", "edge"])
    kind = random.choice(["cup", "plate", "spoon"], 250)[which]
    return Made(frame.assign(kind=kind), {"kind": "categorical"})


@KINDS.leaky("the median price of a postcode", "postcode_median:")
def median(random: Random) -> Made:
    frame = houses(random, 2000)
    code = random.integers(0, 250, 2000)
    return Made(frame.assign(postcode_median=frame.groupby(code)["price"].transform("median")), TASKS)


@KINDS.leaky("rows turned and scaled a little, two of each", "test:", "val:")
def augmented(random: Random) -> Made:
    x = np.repeat(random.normal(size=(600, 8)), 2, axis=0) * random.normal(1, 0.01, (1200, 1))
    label = np.repeat(random.choice(["cat", "dog"], 600), 2)
    frame = pd.DataFrame(x, columns=[f"p{i}" for i in range(8)]).assign(animal=label)
    return Made(frame.sample(frac=1, random_state=random), {"animal": "binary"})


@KINDS.leaky("a file name that ends in the class", "file:")
def file(random: Random) -> Made:
    frame = patients(random)
    names = [f"scan_{random.integers(10**8)}_{s[0]}" for s in frame["severity"]]
    return Made(frame.assign(file=names), CARE)


@KINDS.leaky("a score with noise of 3 % beside a scaled copy", "score:", "index:")
def both(random: Random) -> Made:
    frame = patients(random)
    score = np.log(frame["cost"])
    noise = 0.03 * score.std() * random.normal(size=len(frame))
    return Made(frame.assign(score=score + noise, index=100 * score), CARE)


@KINDS.leaky("the demand of the same shop two days later", "plan:")
def later(random: Random) -> Made:
    demand = random.poisson(30, 900).astype(float) + random.random(900).round(2)
    frame = pd.DataFrame({"day": pd.date_range("2022-01-01", periods=898, freq="D"), "rain": random.random(898)})
    frame = frame.assign(plan=demand[2:], demand=demand[:-2])
    return Made(frame.sample(frac=1, random_state=random), {"demand": "regression"})


# ---------------------------------------------------------------- clean


@KINDS.clean("patients")
def plain(random: Random) -> Made:
    return Made(patients(random), CARE)


@KINDS.clean("patients with random numbers of theirs, and 300 doctors")
def doctors(random: Random) -> Made:
    frame = patients(random)
    doctor = [f"Dr {i}" for i in random.integers(0, 300, len(frame))]
    return Made(frame.assign(patient_id=random.permutation(10**4)[: len(frame)], doctor=doctor), CARE)


@KINDS.clean("80 rows and 200 inputs")
def few(random: Random) -> Made:
    frame = pd.DataFrame(random.lognormal(size=(80, 200)), columns=[f"protein_{i}" for i in range(200)])
    return Made(
        frame.assign(type=random.choice(["A", "B", "C"], 80), dose=random.gamma(2, 1, 80)),
        {"type": "categorical", "dose": "regression"},
    )


@KINDS.clean("last year's value, with an R² of .97")
def last_year(random: Random) -> Made:
    frame = houses(random)
    before = np.log(frame["price"]) + 0.17 * np.log(frame["price"]).std() * random.normal(size=len(frame))
    return Made(frame.assign(last_year=np.exp(before).round(-2)), TASKS)


@KINDS.clean("30 tests of a rare illness")
def rare(random: Random) -> Made:
    ill = random.random(4000) < 0.01
    frame = pd.DataFrame((random.random((4000, 30)) < np.where(ill, 0.5, 0.1)[:, None]).astype(int))
    frame.columns = [f"sign_{i}" for i in range(30)]
    return Made(frame.assign(ill=ill), {"ill": "binary"})


@KINDS.clean("a treatment that nearly decides an outcome")
def treatment(random: Random) -> Made:
    arm = random.choice(["drug", "placebo"], 600)
    frame = pd.DataFrame({"arm": arm, "age": random.integers(18, 80, 600), "dose": random.choice([1, 2, 5], 600)})
    response = 3.0 * (arm == "drug") + 0.5 * random.normal(size=600)
    return Made(
        frame.assign(response=response, better=(response > 1.5).astype(int)),
        {"response": "regression", "better": "binary"},
    )


@KINDS.clean("coordinates of a field that changes smoothly")
def field(random: Random) -> Made:
    x, y = random.uniform(0, 10, (2, 1500))
    value = np.sin(x) + np.cos(0.7 * y) + 0.2 * random.normal(size=1500)
    return Made(
        pd.DataFrame({"x": x, "y": y, "height": random.gamma(2, 2, 1500), "value": value}), {"value": "regression"}
    )


@KINDS.clean("columns with gaps in blocks")
def blocks(random: Random) -> Made:
    frame = patients(random)
    gap = np.arange(len(frame)) < 300
    scans = {f"scan_{i}": np.where(gap, np.nan, random.normal(size=len(frame))) for i in range(4)}
    return Made(frame.assign(**scans), CARE)


@KINDS.clean("ages in years, years of birth and decades")
def years(random: Random) -> Made:
    frame = patients(random, 2000)
    return Made(frame.assign(born=2024 - frame["age"], decade=frame["age"] // 10), CARE)


@KINDS.clean("sizes of the same fruit in several units")
def units(random: Random) -> Made:
    size = random.normal(7, 1, 900)
    frame = pd.DataFrame({"cm": size.round(1), "inch": (size / 2.54).round(2), "rings": random.integers(1, 9, 900)})
    return Made(frame.assign(gram=4 * size**3 * random.lognormal(0, 0.1, 900)), {"gram": "regression"})


@KINDS.clean("remarks of random words")
def remarks(random: Random) -> Made:
    frame = patients(random)
    words = np.array(["calm", "pain", "cough", "fever", "tired", "well"])
    return Made(frame.assign(remark=[" ".join(random.choice(words, 4)) for _ in range(len(frame))]), CARE)


@KINDS.clean("visits spread over two years, and prices that rise slowly")
def rising(random: Random) -> Made:
    frame = houses(random)
    day = np.sort(random.integers(0, 730, len(frame)))
    when = pd.Timestamp("2022-01-01") + pd.to_timedelta(day, unit="D")
    return Made(frame.assign(sold_on=when, price=(frame["price"] * (1 + day / 2000)).round()), TASKS)


@KINDS.clean("digits")
def digits(random: Random) -> Made:
    import sklearn.datasets

    frame = sklearn.datasets.load_digits(as_frame=True).frame
    return Made(frame.rename(columns={"target": "digit"}), {"digit": "categorical"})


@KINDS.clean("a menu of 400 dishes")
def dishes(random: Random) -> Made:
    dish = random.integers(0, 400, 3000)
    frame = pd.DataFrame({"dish": [f"no. {i}" for i in dish], "guests": random.integers(1, 9, 3000)})
    price = random.gamma(8, 2, 400)[dish] * frame["guests"] * random.lognormal(0, 0.6, 3000)
    return Made(
        frame.assign(price=price.round(2), tip=random.random(3000) < 0.4), {"price": "regression", "tip": "binary"}
    )


@KINDS.clean("numbers and their logarithms, in a file sorted by region")
def regions(random: Random) -> Made:
    frame = houses(random, 1200)
    region = np.repeat(["north", "east", "south"], 400)
    price = frame["price"] * np.repeat([0.7, 1.0, 1.5], 400)
    return Made(frame.assign(log_area=np.log(frame["area"]), region=region, price=price.round()), TASKS)
