"""Tables and what is made of them: columns, targets, splits, warnings. No torch in here."""
