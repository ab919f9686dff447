Made repeated syncs of a channel cheaper: unchanged packages are found in one step and skipped, and the list of content of a version is written once for all added and removed packages.
