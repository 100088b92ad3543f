"""A real JupyterLab over a copy of the lessons, and a real browser that looks at it."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.browser.page import LessonPage
from tests.lab import WITHOUT, jupyter_lab
from tests.notebooks.lessons import EXECUTED, ROOT

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARTEFACTS = ROOT / "test-artifacts" / "browser"
PATIENCE_MS = 240_000
"""How long anything in the browser may take before a test gives up: long, for slow machines."""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--no-first-run",
]
FLAGS += ["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]
SETTINGS = {
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none", "autoStartDefaultKernel": True},
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}


def missing(what: str) -> None:
    """Skip, but fail where somebody relies on these tests."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(what)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """JupyterLab on loopback, serving a copy of the lessons."""
    if CHROMIUM is None:
        missing("no chromium on this machine")
    folder = tmp_path_factory.mktemp("lab")
    (folder / "notebooks").mkdir()
    for path in EXECUTED:
        shutil.copy(path, folder / "notebooks")
    settings = folder / "settings"
    settings.mkdir()
    (settings / "overrides.json").write_text(json.dumps(SETTINGS))
    (settings / "page_config.json").write_text(json.dumps(WITHOUT))
    quiet = {"GAPKIT_PROGRESS": "0", "TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1", "HOME": str(folder)}
    variables = {**os.environ, **quiet, "PYTHONPATH": str(ROOT)}
    variables.pop("MPLBACKEND", None)
    with jupyter_lab(
        folder, variables=variables, options=[f"--LabApp.app_settings_dir={settings}"]
    ) as running:
        yield running


@pytest.fixture(scope="session")
def browser(lab):
    """Headless Chromium."""
    try:
        from playwright import sync_api as playwright
    except ModuleNotFoundError:
        missing("playwright is not installed")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def open_lesson(lab, browser, request):
    """A function that opens a notebook of the copy; afterwards the console must have been free of errors."""
    opened: list[LessonPage] = []

    def open_one(path: Path) -> LessonPage:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE_MS)
        page = LessonPage(context.new_page(), lab, path)
        opened.append(page)
        page.open()
        return page

    yield open_one
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    for number, page in enumerate(opened):
        name = f"{request.node.name}{number or ''}".replace("[", "-").replace("]", "")
        page.page.screenshot(path=ARTEFACTS / f"{name}.png")
        problems = page.problems
        page.shut_down()
        assert problems == []
