"""The book: lessons with their committed outputs, teaching guide, results, and the API from its docstrings.

Nothing is executed and nothing is fetched, neither while building nor while reading.
"""

import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "_ext"), str(Path(__file__).resolve().parent.parent)]

import gapkit
from tools.readme import repository

project = "gapkit"
author = "The gapkit authors"
copyright = "2026, the gapkit authors. Text: CC BY 4.0, code: BSD-3-Clause"
version = release = gapkit.__version__
language = "en_GB"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "book",
]
exclude_patterns = ["_build", "_ext", "_generated/learner", "_generated/teaching.md", "**/.ipynb_checkpoints"]
suppress_warnings = ["ref.python"]  # attributes of different classes may share a name

html_theme = "sphinx_book_theme"
html_title = "The modality gap"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "repository_url": f"https://github.com/{repository()}",
    "use_repository_button": True,
    "path_to_docs": "docs",
    "show_toc_level": 2,
    "use_download_button": False,
    "navbar_persistent": [],  # the side bar has a search already
}

nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath", "html_image"]
myst_dmath_double_inline = True  # $$…$$ in the middle of a paragraph, as Jupyter shows it
myst_heading_anchors = 3
myst_update_mathjax = False

# MathJax from a package of PyPI, copied into the book.
mathjax_path = "mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full"
mathjax2_config = {
    "tex2jax": {
        "inlineMath": [["\\(", "\\)"]],
        "displayMath": [["\\[", "\\]"]],
        "processRefs": False,
        "processEnvironments": False,
        "ignoreClass": ".*|",
        "processClass": "math",
    },
    # the one font that the package brings along
    "HTML-CSS": {
        "availableFonts": [],
        "webFont": "STIX-Web",
        "imageFont": None,
        "linebreaks": {"automatic": True},
    },
    "menuSettings": {"inTabOrder": True, "assistiveMML": True},
    "showMathMenu": False,
    "messageStyle": "none",
}

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_preserve_defaults = True  # a default that is a long registry is shown by its name
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_google_docstring = False
napoleon_use_ivar = True  # attributes of a class are documented where their property is, not twice
napoleon_use_rtype = False
napoleon_use_param = False
napoleon_preprocess_types = False

os.environ.setdefault("TQDM_DISABLE", "1")
