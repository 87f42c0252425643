"""Methods beside each other on subjects never seen: from a folder of HR scans to a table."""
