"""The page in a real browser: nothing is asked of the network, nothing complains, nothing is wider than the window."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from afters.report.document import Told, build
from afters.report.page import render

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
    *("--virtual-time-budget=2000", "--enable-logging=stderr", "--v=1"),
)

PROBE = """<!doctype html><title>probe</title><iframe id="page" width="{width}" height="900" srcdoc="{page}"></iframe>
<script>
addEventListener("load", () => {{
  const view = document.getElementById("page").contentWindow, page = view.document;
  page.querySelectorAll("details").forEach((one) => one.open = true);
  const asked = view.performance.getEntriesByType("resource").length;
  document.title = [page.documentElement.scrollWidth, page.body.innerText.length, asked].join(" ");
}});
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_the_window_and_asks_nothing_of_the_network(told: Told, tmp_path: Path, width: int) -> None:
    page = tmp_path / "report.html"
    page.write_text(render(build(told)))
    escaped = page.read_text().replace("&", "&amp;").replace('"', "&quot;")
    (tmp_path / "probe.html").write_text(PROBE.format(width=width, page=escaped))
    done = browse(tmp_path, tmp_path / "probe.html")
    measured = re.search(r"<title>(\d+) (\d+) (\d+)</title>", done.stdout)
    assert measured, done.stderr
    assert int(measured[1]) <= width
    assert int(measured[2]) > 1_000
    assert int(measured[3]) == 0
    assert ":CONSOLE:" not in done.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_browser_would_have_told_of_a_request_and_of_a_complaint(tmp_path: Path) -> None:
    page = "<img src=http://127.0.0.1:9/nothing.png><script>console.error(1)</script>"
    (tmp_path / "probe.html").write_text(PROBE.format(width=390, page=page))
    done = browse(tmp_path, tmp_path / "probe.html")
    measured = re.search(r"<title>(\d+) (\d+) (\d+)</title>", done.stdout)
    assert measured and int(measured[3]) == 1 and ":CONSOLE:" in done.stderr


def browse(folder: Path, page: Path, *more: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    command = [CHROMIUM, *QUIET, f"--user-data-dir={folder / 'profile'}", *more, "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
