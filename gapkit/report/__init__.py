"""The report of a replication: one page with everything in it, and the record behind it."""

from gapkit._renamed import renamed
from gapkit.report.record import make_record, read_record
from gapkit.report.write import write_report

__all__ = ["make_record", "read_record", "write_report"]

__getattr__ = renamed(__name__)
