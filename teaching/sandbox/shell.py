"""An IPython shell that runs one cell at a time and keeps what it shows."""

import contextlib
import io
import os

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

MAX_TEXT = 20_000
MAX_IMAGE = 2_000_000
MAX_OUTPUTS = 30


class _Hook(DisplayHook):
    """Keeps the value of a cell's last line instead of printing it."""

    def __call__(self, result=None):
        if result is not None and not self.quiet():
            data, metadata = self.shell.display_formatter.format(result)
            self.shell.shown.append({"output_type": "execute_result", "data": data, "metadata": metadata})


class Shell(InteractiveShell):
    """IPython without a terminal, a kernel or a history."""

    displayhook_class = Type(_Hook)
    display_pub_class = Type(CapturingDisplayPublisher)

    def __init__(self, **options):
        self.shown: list[dict] = []
        self.asked_to_exit = False
        super().__init__(**options)

    def ask_exit(self) -> None:
        """``exit`` and ``quit`` come here."""
        self.asked_to_exit = True

    def system(self, cmd: str) -> None:
        """``!command``: ask the system, so that the audit hook refuses and says so."""
        os.system(cmd)

    def getoutput(self, cmd: str, **_) -> list:
        """``files = !command``: likewise."""
        return [os.system(cmd)]

    def _showtraceback(self, etype, evalue, stb) -> None:
        self.shown.append(
            {
                "output_type": "error",
                "ename": str(getattr(etype, "__name__", etype)),
                "evalue": str(evalue)[:1000],
                "traceback": [str(line)[:MAX_TEXT] for line in (stb if isinstance(stb, list) else [stb])],
            }
        )


def start_shell() -> Shell:
    """The one shell of the process, with matplotlib's figures shown in the cell that draws them."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor"
    config.InteractiveShell.enable_tip = False
    shell = Shell.instance(config=config)
    with contextlib.suppress(Exception):  # figures are a courtesy
        shell.enable_matplotlib("inline")
    return shell


def run_cell(shell: Shell, source: str) -> tuple[str | None, list[dict]]:
    """Run ``source``.

    Returns
    -------
    error : the name of the exception that ended it, ``"SyntaxError"``-like ones before it started
        as ``"before:…"``, ``"SystemExit"`` also for ``exit``; None if it came through
    outputs : notebook outputs
    """
    shell.shown, shell.asked_to_exit = [], False
    shell.display_pub.outputs.clear()
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        result = shell.run_cell(source, store_history=False)
    outputs = [{"output_type": "stream", "name": "stdout", "text": text.getvalue()[:MAX_TEXT]}]
    outputs = [one for one in outputs if one["text"]]
    for shown in shell.display_pub.outputs:
        outputs.append({"output_type": "display_data", "data": shown["data"], "metadata": shown["metadata"]})
    outputs += shell.shown
    error = None
    if result.error_before_exec is not None:
        error = f"before:{type(result.error_before_exec).__name__}"
    elif shell.asked_to_exit:
        error = "SystemExit"
    elif result.error_in_exec is not None:
        error = type(result.error_in_exec).__name__
    return error, [_cut(one) for one in outputs[:MAX_OUTPUTS]]


def _cut(output: dict) -> dict:
    if "data" in output:
        kept = {}
        for kind, content in output["data"].items():
            if isinstance(content, bytes):
                import base64

                content = base64.b64encode(content).decode()
            if isinstance(content, str) and len(content) <= (
                MAX_IMAGE if kind.startswith("image/") else MAX_TEXT
            ):
                kept[kind] = content
        output = {**output, "data": kept or {"text/plain": "(left out: too long)"}, "metadata": {}}
    return output
