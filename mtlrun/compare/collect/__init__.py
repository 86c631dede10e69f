"""From folders to records: the runs in them, their settings and figures."""
