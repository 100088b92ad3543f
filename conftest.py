"""Settings for every test and doctest."""


def pytest_configure(config):
    # Not in pyproject.toml: pytest would import gapkit to read it, before jaxtyping can watch the import.
    config.addinivalue_line("filterwarnings", "error::gapkit.errors.GapkitWarning")
