"""Methods beside each other on people never seen: from a folder of HR scans to a table."""
