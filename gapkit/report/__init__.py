"""The report of a replication: one page with everything in it, and the record behind it."""

from gapkit._renamed import renamed
from gapkit.report.readme import models_table, results_table, update_readme
from gapkit.report.record import command_line, compare_records, make_record, read_record, to_json
from gapkit.report.view import GLYPHS, build_summary, short_model
from gapkit.report.write import FORMATS, Workspace, write_report

__all__ = [
    "FORMATS",
    "GLYPHS",
    "Workspace",
    "build_summary",
    "command_line",
    "compare_records",
    "make_record",
    "models_table",
    "read_record",
    "results_table",
    "short_model",
    "to_json",
    "update_readme",
    "write_report",
]

__getattr__ = renamed(__name__)
