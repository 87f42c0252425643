"""Pages that people look at before they read numbers: one self-contained HTML file each."""
