"""What a page of the docs says that its lines print is what they print."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"

SHOWN = re.compile(r"```python\n((?:(?!```).)*)```\n\n```text\n(.*?)```", flags=re.DOTALL)


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_lines_of_python_print_what_the_page_shows(
    page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for script, shown in SHOWN.findall(page.read_text(encoding="utf-8")):
        (tmp_path / "lines.py").write_text(script, encoding="utf-8")
        runpy.run_path(str(tmp_path / "lines.py"))
        assert capsys.readouterr().out == shown
