"""Settings for every test and doctest: the same whatever machine, terminal and user they run on."""

import os

import pytest
from hypothesis import HealthCheck, settings

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
FIXED = dict.fromkeys(THREADS, "1") | {
    "PYTHONHASHSEED": "0",  # for the processes that tests start
    "GAPKIT_PROGRESS": "0",
    "TQDM_DISABLE": "1",
    "COLUMNS": "80",  # rich and click fold to it, whatever terminal this is
    "LINES": "24",
    "MATPLOTLIBRC": os.devnull,
}
FORGOTTEN = [
    "GAPKIT_DATA",
    "GAPKIT_DATA_URL",
    "GAPKIT_COCO500_URL",
    "HF_ENDPOINT",
    "HF_HUB_OFFLINE",
    "HF_TOKEN",
    "TRANSFORMERS_OFFLINE",
    "FORCE_COLOR",
    "NO_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
    "PYTHONWARNINGS",
    "PYTHONSTARTUP",
    "PYTHONOPTIMIZE",
    "PYTHONINSPECT",
    "PYTHONSAFEPATH",
    "PYTHONDEVMODE",
    "PYTHONVERBOSE",
    "PYTHONPROFILEIMPORTTIME",
    "PYTHONTRACEMALLOC",
    "PYTHONWARNDEFAULTENCODING",
    "PYTHONIOENCODING",
    "PYTHON_COLORS",
    "MPLBACKEND",
]
"""What a user may have set, and what changes what tests see."""


def fix_environment(variables: dict[str, str]) -> None:
    """Change ``variables`` so that tests see the same everywhere; servers on loopback are asked without a proxy."""
    for name in FORGOTTEN:
        variables.pop(name, None)
    variables.update(FIXED)
    for name in ("NO_PROXY", "no_proxy"):
        variables[name] = ",".join(filter(None, (variables.get(name), "localhost,127.0.0.1")))


fix_environment(os.environ)  # at once: numpy and huggingface_hub read it when they are imported

# Examples that are drawn anew now and then find a fault where nobody looks for it; slow machines are none.
settings.register_profile(
    "everywhere",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("everywhere")


def pytest_configure(config):
    # Not in pyproject.toml: pytest would import gapkit to read it, before jaxtyping can watch the import.
    config.addinivalue_line("filterwarnings", "error::gapkit.errors.GapkitWarning")
    # Tests that run side by side may embed the same at once; one then waits, as it should.
    config.addinivalue_line("filterwarnings", "ignore:another process embeds:gapkit.errors.GapkitWarning")


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item):
    """A test that leaves the process in another folder breaks those that come after it, in whatever order."""
    if os.getcwd() != str(item.config.invocation_params.dir):
        os.chdir(item.config.invocation_params.dir)
        pytest.fail(f"{item.nodeid} left the working directory changed")
