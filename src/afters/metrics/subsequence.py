"""The longest common subsequence of two texts, a machine word of cells at a time.

The table of lengths grows by at most one from row to row, so a column is kept as a number whose bits say where it
does *not* grow, and one addition makes the next column (H. Hyyrö, "Bit-parallel LCS-length computation
revisited", AWOCA 2004).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def columns(reference: Sequence[str], answer: Iterable[str]) -> list[int]:
    """Return the table's columns, one before the first word of `answer` and one after each.

    Bit i of column j is 0 where the first i + 1 words of the reference have a longer common subsequence with the
    first j words of the answer than the first i have.
    """
    places: dict[str, int] = {}
    for index, word in enumerate(reference):
        places[word] = places.get(word, 0) | 1 << index
    whole = (1 << len(reference)) - 1
    made = [whole]
    for word in answer:
        column = made[-1]
        matched = column & places.get(word, 0)
        made.append(((column + matched) | (column - matched)) & whole if matched else column)
    return made


def length(reference: Sequence[str], answer: Iterable[str]) -> int:
    """Return how many words the longest common subsequence has.

    >>> length("it is cold outside".split(), "it is very cold outside".split())
    4
    """
    return len(reference) - columns(reference, answer)[-1].bit_count()


def places(reference: Sequence[str], answer: Sequence[str]) -> list[int]:
    """Return the places in `reference` of one longest common subsequence, in descending order.

    Of several, the one that is met walking back from the ends: along both texts where the words are equal,
    otherwise back in the answer when going back in the reference would lose a word, otherwise in the reference.
    Which one is taken decides ROUGE-Lsum where a reference sentence meets several answer sentences.
    """
    table = columns(reference, answer)
    row, column = len(reference), len(answer)
    found = []
    while row and column:
        if reference[row - 1] == answer[column - 1]:
            found.append(row - 1)
            row, column = row - 1, column - 1
        elif table[column] >> (row - 1) & 1:
            row -= 1
        else:
            column -= 1
    return found
