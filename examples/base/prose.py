"""Prose that anyone may teach with: which texts, why these, and how they are cut up.

A text is taught when its author died in 1955 or before (public domain in the European Union from 2026) and it was
published in 1930 or before (public domain in the United States from 2026), or when it is a work of the government of
the United States. The table says which, and what is left out.
"""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import NamedTuple

LAST_DEATH, LAST_PUBLICATION = 1955, 1930
"""The last years that were in the public domain on 1 January 2026."""


class Text(NamedTuple):
    """A file, whose it is, and what decides whether it may be taught."""

    file: str
    author: str
    died: int
    published: int
    given: str = ""
    """Why it is free although the two years do not say so."""
    withheld: str = ""
    """Why it is not taught although it is free."""

    @property
    def taught(self) -> bool:
        """Whether it is free and not withheld."""
        free = bool(self.given) or (self.died <= LAST_DEATH and self.published <= LAST_PUBLICATION)
        return free and not self.withheld

    @property
    def why(self) -> str:
        """The reason, in a few words, for the card."""
        if self.withheld or self.given:
            return self.withheld or self.given
        return f"{self.author} died in {self.died}; published in {self.published}"


LIVING = 9999
"""The year of death where not all authors have died."""

GOVERNMENT = "works of the government of the United States (17 U.S.C. 105)"
CROWN = "the King James text may be printed in the United Kingdom by leave of the Crown only"
EXAM = "the loss on prose is measured on it"

TEXTS = (
    Text("Anon_Clara_1864.txt", "R. D. Blackmore", 1900, 1864),
    Text("Barclay_Ladies_1917.txt", "Florence L. Barclay", 1921, 1917),
    Text("Barclay_Postern_1911.txt", "Florence L. Barclay", 1921, 1911),
    Text("Barclay_Rosary_1909.txt", "Florence L. Barclay", 1921, 1909),
    Text("Bennet_Babylon_1902.txt", "Arnold Bennett", 1931, 1902),
    Text("Bennet_Helen_1910.txt", "Arnold Bennett", 1931, 1910),
    Text("Bennet_Imperial_1930.txt", "Arnold Bennett", 1931, 1930),
    Text("Blackmore_Erema_1877.txt", "R. D. Blackmore", 1900, 1877),
    Text("Blackmore_Lorna_1869.txt", "R. D. Blackmore", 1900, 1869),
    Text("Blackmore_Springhaven_1887.txt", "R. D. Blackmore", 1900, 1887),
    Text("Braddon_Audley_1862.txt", "Mary Elizabeth Braddon", 1915, 1862),
    Text("Braddon_Phantom_1883.txt", "Mary Elizabeth Braddon", 1915, 1883),
    Text("Braddon_Quest_1871.txt", "Mary Elizabeth Braddon", 1915, 1871),
    Text("Burnett_Garden_1911.txt", "Frances Hodgson Burnett", 1924, 1911),
    Text("Burnett_Lord_1886.txt", "Frances Hodgson Burnett", 1924, 1886),
    Text("Burnett_Princess_1905.txt", "Frances Hodgson Burnett", 1924, 1905),
    Text("Cbronte_Jane_1847.txt", "Charlotte Brontë", 1855, 1847),
    Text("Cbronte_Shirley_1849.txt", "Charlotte Brontë", 1855, 1849),
    Text("Cbronte_Villette_1853.txt", "Charlotte Brontë", 1855, 1853),
    Text("Chesterton_Innocence_1911.txt", "G. K. Chesterton", 1936, 1911),
    Text("Chesterton_Napoleon_1904.txt", "G. K. Chesterton", 1936, 1904),
    Text("Chesterton_Thursday_1908.txt", "G. K. Chesterton", 1936, 1908, withheld=EXAM),
    Text("Conrad_Almayer_1895.txt", "Joseph Conrad", 1924, 1895),
    Text("Conrad_Nostromo_1904.txt", "Joseph Conrad", 1924, 1904),
    Text("Conrad_Rover_1923.txt", "Joseph Conrad", 1924, 1923),
    Text("Corelli_Innocent_1914.txt", "Marie Corelli", 1924, 1914),
    Text("Corelli_Romance_1886.txt", "Marie Corelli", 1924, 1886),
    Text("Corelli_Satan_1895.txt", "Marie Corelli", 1924, 1895),
    Text("Dickens_Bleak_1853.txt.gz", "Charles Dickens", 1870, 1853),
    Text("Dickens_Expectations_1861.txt", "Charles Dickens", 1870, 1861),
    Text("Dickens_Oliver_1839.txt", "Charles Dickens", 1870, 1839),
    Text("Doyle_Hound_1902.txt", "Arthur Conan Doyle", 1930, 1902),
    Text("Doyle_Lost_1912.txt", "Arthur Conan Doyle", 1930, 1912),
    Text("Doyle_Micah_1889.txt", "Arthur Conan Doyle", 1930, 1889),
    Text("Eliot_Adam_1859.txt", "George Eliot", 1880, 1859),
    Text("Eliot_Daniel_1876.txt.gz", "George Eliot", 1880, 1876),
    Text("Eliot_Felix_1866.txt", "George Eliot", 1880, 1866),
    Text("Ford_Girl_1907.txt", "Ford Madox Ford", 1939, 1907),
    Text("Ford_Post_1926.txt", "Ford Madox Ford", 1939, 1928),  # the file's name is two years early
    Text("Ford_Soldier_1915.txt", "Ford Madox Ford", 1939, 1915),
    Text("Forster_Angels_1905.txt", "E. M. Forster", 1970, 1905),
    Text("Forster_Howards_1910.txt", "E. M. Forster", 1970, 1910),
    Text("Forster_View_1908.txt", "E. M. Forster", 1970, 1908),
    Text("Galsworthy_Man_1906.txt", "John Galsworthy", 1933, 1906),
    Text("Galsworthy_River_1933.txt", "John Galsworthy", 1933, 1933),
    Text("Galsworthy_Saints_1919.txt", "John Galsworthy", 1933, 1919),
    Text("Gaskell_Lovers_1863.txt", "Elizabeth Gaskell", 1865, 1863),
    Text("Gaskell_Ruth_1855.txt", "Elizabeth Gaskell", 1865, 1853),
    Text("Gaskell_Wives_1865.txt", "Elizabeth Gaskell", 1865, 1866),
    Text("Gissing_Unclassed_1884.txt", "George Gissing", 1903, 1884),
    Text("Gissing_Warburton_1903.txt", "George Gissing", 1903, 1903),
    Text("Kipling_Captains_1896.txt", "Rudyard Kipling", 1936, 1897),
    Text("tinyshakespeare.txt", "William Shakespeare", 1616, 1623),
    Text("nltk_genesis.txt", "translators of the Book of Genesis", LIVING, 1611, withheld=CROWN),
    Text("nltk_inaugural.txt", "presidents of the United States", LIVING, 2021, given=GOVERNMENT),
    Text("nltk_state_union.txt.gz", "presidents of the United States", LIVING, 2006, given=GOVERNMENT),
)

PLAIN = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "_": "", "\ufeff": "", "\xa0": " ", "–": "-"})
SENTENCE_END = re.compile(r"""((?<!\bMr)(?<!\bMrs)(?<!\bDr)(?<!\bSt)[.!?]["')]*) (?=["'(]?[A-Z])""")
READABLE = re.compile(r"[\x20-\x7e£—éèêëâîïçæñü]*")


def read(text: Text, folder: Path) -> str:
    """Return the file's text, from wherever under `folder` it lies."""
    [path] = folder.rglob(text.file)
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return data.decode("utf-8", errors="replace")


def sentences(text: str) -> list[str]:
    """Cut a text in one line where a sentence seems to end."""
    return SENTENCE_END.sub(r"\1\n", text).split("\n")


def passages(raw: str, *, characters: int) -> list[str]:
    """Return runs of whole sentences, each the first to reach `characters`; longer than twice that is left out.

    Line breaks become spaces, typographic quotes plain ones; a sentence with misread characters is left out.
    """
    found: list[str] = []
    run = ""
    for sentence in sentences(" ".join(raw.translate(PLAIN).split())):
        if READABLE.fullmatch(sentence):
            run = f"{run} {sentence}".strip()
        if len(run) >= characters:
            found.append(run)
            run = ""
    return [passage for passage in found if len(passage) <= 2 * characters]
