"""Reports on a ledger that is generated: one file per measurement, run by bench/reports.py; the tests generate ledgers too."""
