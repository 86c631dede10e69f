"""Shows a comparison: tables, pictures and the page."""
