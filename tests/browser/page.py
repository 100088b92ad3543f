"""One lesson open in JupyterLab, as a person at the keyboard has it."""

import json
import re
import time
import urllib.request
from pathlib import Path

from tests.lab import Lab

RUN_SECONDS = 1200
BUSY_SECONDS = 240
"""How long a kernel may compute after a control was moved: a simulation on a busy machine."""
IDLE_LOOKS = 15
"""Looks, a fifth of a second apart, at an idle kernel's picture after which it will not change any more."""
ENOUGH = 5
"""Looks at the notebook, a second apart, after which nothing will happen any more."""
HARMLESS = re.compile(r"favicon|ResizeObserver loop|was preloaded using link preload")
"""Console messages of JupyterLab or the browser itself that say nothing about a lesson."""

STATE_OF_CELLS = """() => [...document.querySelectorAll('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell')].map(cell => ({
  prompt: cell.querySelector('.jp-InputArea-prompt')?.textContent ?? '',
  source: cell.querySelector('.cm-content')?.textContent ?? '',
  complaints: cell.querySelectorAll('[data-mime-type$="jupyter.error"], [data-mime-type$="jupyter.stderr"]').length,
}))"""


BETWEEN_REDRAWS = re.compile("not attached|not visible|not stable|not an HTMLElement")
"""What Playwright says of a picture that was replaced while it looked."""

TOPMOST = """panel => [...panel.querySelectorAll('.gk-point')].map(spot => {
  const at = spot.getBoundingClientRect();
  return document.elementFromPoint(at.x + at.width / 2, at.y + at.height / 2) === spot;
})"""


class Control:
    """One slider, list or box of a panel, and what the panel shows."""

    def __init__(self, page: "LessonPage", panel: int, kind: str, number: int) -> None:
        self.page, self.kind = page, kind
        self.panel = page.panels().nth(panel)
        self.element = self.panel.locator(KINDS[kind]).nth(number)
        self.name = f"panel {panel + 1}, {kind} {number + 1} ({self.label()})"

    def label(self) -> str:
        """What stands beside the control."""
        box = self.element.locator("xpath=ancestor::div[contains(@class,'jupyter-widgets')][1]")
        return " ".join(box.locator("label").first.inner_text().split())[:60]

    def shown(self) -> tuple[str, bytes]:
        """The sentence below the picture, and the picture itself as pixels."""
        for _ in range(20):
            figure = self.panel.locator("figure")
            try:
                return figure.locator("figcaption").inner_text(), figure.locator("div").first.screenshot(
                    timeout=20_000
                )
            except Exception as fault:  # redrawn while we looked: look again
                if not BETWEEN_REDRAWS.search(str(fault)):
                    raise
                time.sleep(0.2)
        raise AssertionError(f"{self.name} never stops redrawing")

    def changes(self) -> tuple[bool, bool]:
        """Move the control by keyboard: did the sentence change, did the picture?"""
        self.page.settle(self.panel)
        sentence, picture = self.shown()
        said = seen = False
        for key in MOVES[self.kind]:
            self.element.focus()
            self.page.page.keyboard.press(key)
            idle = 0
            for _ in range(5 * BUSY_SECONDS):
                time.sleep(0.2)
                idle = 0 if self.page.busy() else idle + 1
                now = self.shown()
                said, seen = said or now[0] != sentence, seen or now[1] != picture
                if (said and seen) or idle >= IDLE_LOOKS:
                    break
            if said and seen:
                break
        return said, seen


KINDS = {"slider": ".noUi-handle", "list": "select", "box": "input[type=checkbox]"}
CONTROL_ROLES = ("slider", "combobox", "checkbox", "button", "textbox")
MOVES = {
    "slider": ("ArrowRight", "PageUp", "ArrowLeft", "Home", "End"),
    "list": ("ArrowDown", "ArrowUp"),
    "box": ("Space",),
}


class LessonPage:
    """A notebook in a browser window."""

    def __init__(self, page, lab: Lab, path: Path) -> None:
        self.page, self.lab, self.path = page, lab, path
        self.problems: list[str] = []
        page.on("console", self._note_console)
        page.on("pageerror", lambda fault: self._note(f"page error: {fault}"))
        page.on("request", self._note_request)

    def _note(self, text: str) -> None:
        if not HARMLESS.search(text):
            self.problems.append(text[:500])

    def _note_console(self, message) -> None:
        if message.type == "error":
            self._note(f"console: {message.text} ({message.location.get('url', '')})")

    def _note_request(self, request) -> None:
        if not request.url.startswith((f"http://127.0.0.1:{self.lab.port}/", "data:", "blob:")):
            self._note(f"request to elsewhere: {request.url}")

    def open(self) -> None:
        """Open the notebook and wait for its kernel."""
        self.page.goto(
            self.lab.address(f"lab/tree/notebooks/{self.path.name}") + "&reset", wait_until="domcontentloaded"
        )
        self.page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell")
        self.page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
        self.page.wait_for_load_state("networkidle")  # widgets made before their manager has come are lost

    def run_all(self) -> list[dict]:
        """Run all cells from the menu; returns what each code cell shows once all are done."""
        idle = ENOUGH
        for _ in range(RUN_SECONDS):
            if (
                idle >= ENOUGH
            ):  # not asked yet, or asked while the kernel was still coming: JupyterLab forgets it
                self._choose_run_all()
                idle = 0
            time.sleep(1)
            cells = self.page.evaluate(STATE_OF_CELLS)
            busy = any("[*]" in cell["prompt"] for cell in cells)
            done = [re.search(r"\[\d+\]", cell["prompt"]) for cell in cells if cell["source"].strip()]
            stopped = any(cell["complaints"] for cell in cells)
            if cells and not busy and (all(done) or stopped):
                time.sleep(1)
                return self.page.evaluate(STATE_OF_CELLS)
            idle = 0 if busy else idle + 1
        raise AssertionError(f"{self.path.stem} did not finish in {RUN_SECONDS} s: {cells}")

    def _choose_run_all(self) -> None:
        self.page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
        self.page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()

    def panels(self):
        """The widgets: boxes that hold controls and a picture."""
        return self.page.locator(".jp-OutputArea-output .widget-vbox:has(figure)")

    def controls(self) -> list[Control]:
        """Every control of every widget."""
        found = []
        for panel in range(self.panels().count()):
            for kind, selector in KINDS.items():
                count = self.panels().nth(panel).locator(selector).count()
                found += [Control(self, panel, kind, number) for number in range(count)]
        return found

    def accessible(self, panel: int) -> list[tuple[str, str]]:
        """Role and name of every control of a panel, as Chromium tells them to a screen reader."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("Accessibility.enable")
        self.panels().nth(panel).evaluate("panel => { window.asked = panel; }")
        place = session.send("Runtime.evaluate", {"expression": "window.asked"})["result"]["objectId"]
        found = []
        for role in CONTROL_ROLES:
            answer = session.send("Accessibility.queryAXTree", {"objectId": place, "role": role})
            found += [
                (role, node["name"]["value"].strip()) for node in answer["nodes"] if not node["ignored"]
            ]
        session.detach()
        return found

    def busy(self) -> bool:
        """Whether the kernel is at work."""
        light = self.page.locator(".jp-NotebookPanel .jp-Notebook-ExecutionIndicator").first
        return light.get_attribute("data-status") != "idle"

    def settle(self, panel) -> None:
        """Wait until the panel's picture has been drawn and stays the same."""
        panel.scroll_into_view_if_needed()
        before = None
        for _ in range(3 * BUSY_SECONDS):
            now = panel.locator("figure").inner_html()
            if now == before and not self.busy():
                return
            before = now
            time.sleep(0.3)

    def shut_down(self) -> None:
        """Close the window and stop the kernels of this server."""
        self.page.context.close()
        with urllib.request.urlopen(self.lab.address("api/kernels")) as answer:
            kernels = json.load(answer)
        for kernel in kernels:
            stop = urllib.request.Request(self.lab.address(f"api/kernels/{kernel['id']}"), method="DELETE")
            urllib.request.urlopen(stop).close()
