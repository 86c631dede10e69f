"""From a comparison to what people read: tables, pictures, the page."""
