"""A submission's process, started anew: ``python -m teaching.sandbox "[source, sink]"``."""

import json
import sys

from teaching.sandbox.serve import import_what_notebooks_use, serve

if __name__ == "__main__":
    import_what_notebooks_use()
    serve(*json.loads(sys.argv[1]))
