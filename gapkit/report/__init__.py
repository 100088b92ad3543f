"""The report of a replication: one page with everything in it, and the record behind it."""

from gapkit.report.compare import compare_records
from gapkit.report.record import make_record, read_record
from gapkit.report.results_table import results_table, update_readme
from gapkit.report.workspace import Workspace
from gapkit.report.write import FORMATS, write_report

__all__ = [
    "FORMATS",
    "Workspace",
    "compare_records",
    "make_record",
    "read_record",
    "results_table",
    "update_readme",
    "write_report",
]
