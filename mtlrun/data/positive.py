"""The positive class of two: the one that says yes, or else the rarer one."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtlrun.data.doubts import class_text

# Words for yes, true, positive / no, false, negative.
_WORDS = """
yes y true t on positive pos present / no n false f off negative neg absent
ja j wahr richtig positiv / nein falsch negativ
oui o vrai positif / non faux négatif
sí si s verdadero positivo / falso negativo
sì vero / falso
sim s verdadeiro / não nao
ja waar / nee onwaar
ja sant / nej nei
kyllä kyl tosi / ei epätosi
tak prawda / nie fałsz
ano / ne
igen igaz / nem hamis
da adevărat / nu fals
evet doğru / hayır yanlış
да д истина / нет н ложь
так / ні
ναι / όχι
はい / いいえ
是 有 / 否 无
예 네 / 아니요
نعم / لا
हाँ / नहीं
+ 1 1.0 / - 0 0.0 -1 -1.0
"""
_LINES = [line.partition("/") for line in _WORDS.split("\n")]
_YES = frozenset(word for yes, _, _ in _LINES for word in yes.split())
_NO = frozenset(word for _, _, no in _LINES for word in no.split())


def positive_of(classes: Sequence[Any], counts: np.ndarray) -> tuple[int, str]:
    """The index of the positive one of two classes, and the reason in words. counts: the labels of each, `[2]`.

    A word for yes beside a word for no is positive. So is a longer word for yes beside any other word, and any other
    word beside a longer word for no. Else it is the rarer one, or the last of classes as frequent.
    """
    texts = [class_text(value).strip("'\" ").casefold() for value in classes]
    yes, no = [t in _YES for t in texts], [t in _NO for t in texts]
    for at in (0, 1):
        spelled = (yes[at] and _is_word(texts[at])) or (no[1 - at] and _is_word(texts[1 - at]))
        if (yes[at] and no[1 - at]) or (spelled and not yes[1 - at] and not no[at]):
            return at, "it means yes"
    rarer = 1 if counts[1] <= counts[0] else 0
    return rarer, "the rarer one" if counts[0] != counts[1] else "the last one"


def _is_word(text: str) -> bool:
    """Whether a text says yes or no by itself. A letter or a number does so only beside its counterpart."""
    return len(text) > 1 and text.isalpha()
