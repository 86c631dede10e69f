"""What a package can add to mtlrun, one of each kind. `extension` says what there is."""
