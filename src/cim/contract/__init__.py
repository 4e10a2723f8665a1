"""What the annotations say, as data: subjects, envelope, codec, fingerprints, modules, compositions."""
