Added channels to Pulp's exports and imports, with their patches, environments, run_exports and attestations.
