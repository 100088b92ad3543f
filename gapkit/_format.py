"""Numbers as people read them: the one place where digits are counted."""

import math
from importlib import metadata

DASH, MINUS = "–", "−"


def number(value, digits: int = 3, *, scientific: bool = True) -> str:
    """A number with fixed decimals: whole ones as they are, a dash for none.

    What would look like 0 is written scientifically, or as below the last digit.

    >>> number(0.12345), number(float("nan")), number(-3), number(1.5e-9)
    ('0.123', '–', '−3', '1.5e-09')
    >>> number(4.5e-14, scientific=False), number(-0.0002, scientific=False)
    ('< 0.001', '> −0.001')
    """
    if _missing(value):
        return DASH
    if float(value).is_integer():
        return _signed(str(int(value)))
    least = 10**-digits
    if abs(value) < (least if scientific else least / 2):
        return f"{value:.1e}" if scientific else (f"< {least:g}" if value > 0 else f"> {MINUS}{least:g}")
    return _signed(f"{value:.{digits}f}")


def with_interval(value, low, high, digits: int = 3, *, scientific: bool = True) -> str:
    """``0.123 [0.100, 0.150]``, all with the same decimals; the value alone where the interval is missing or a point.

    >>> with_interval(1.0, 0.98, 1.0), with_interval(0.0123, -0.00001, 0.02)
    ('1.000 [0.980, 1.000]', '0.012 [0.000, 0.020]')
    """
    if any(map(_missing, (value, low, high))) or low == high:
        return number(value, digits, scientific=scientific)
    if scientific and max(map(abs, (value, low, high))) < 10**-digits:
        value, low, high = (f"{end:.1e}" for end in (value, low, high))
    else:
        value, low, high = (_signed(f"{end:.{digits}f}") for end in (value, low, high))
    return f"{value} [{low}, {high}]"


def significant(value, low=None, high=None) -> str:
    """Four digits that say something, with those of the interval where there is one.

    >>> significant(12345), significant(0.0123456), significant(1, 0.5, 2.25)
    ('12,345', '0.01235', '1 [0.5, 2.25]')
    """
    if _missing(value):
        return DASH
    text = f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    return text if _missing(low) or low == high else f"{value:.4g} [{low:.4g}, {high:.4g}]"


def _missing(value) -> bool:
    return value is None or math.isnan(value)


def _signed(text: str) -> str:
    """With a minus sign that is as wide as a plus, and none before what rounds to 0."""
    return text.removeprefix("-") if not text.strip("-0.") else text.replace("-", MINUS)


def version_of(package: str) -> str:
    """Its version, as the installer wrote it down.

    >>> version_of("no-such-package")
    'not installed'
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
