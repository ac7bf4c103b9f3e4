"""The documentation as `make docs` builds it, read from files without a network, on a wide screen and on a phone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("material", reason="mkdocs-material is not installed (make docs)")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or "/usr/bin/chromium"
ROOT = Path(__file__).parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="there is no chromium here")]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the site, which is built without warnings."""
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    return folder


def test_pages_fit_ask_no_network_for_anything_and_can_be_searched(built):
    pages = sorted(
        path for path in built.rglob("*.html") if path.name != "404.html"
    )  # a server sends it, so it has absolute paths
    assert len(pages) > 40
    asked, troubles = [], []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for width, scheme in ((390, "dark"), (1300, "light")):
            page = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme).new_page()
            page.on("request", lambda request: asked.append(request.url))
            page.on("console", lambda said: troubles.append(said.text) if said.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: troubles.append(str(error)))
            for file in pages:
                page.goto(file.as_uri())
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{file} at {width} px"
        page.goto((built / "index.html").as_uri())
        page.fill(".md-search__input", "effective number")
        page.wait_for_selector(".md-search-result__link")
        assert "reference/" in str(page.eval_on_selector_all(".md-search-result__link", "found => found.map(one => one.href)"))
        browser.close()
    assert not troubles and not [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))]
