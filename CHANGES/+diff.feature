Added ``diff/`` to repository versions, which lists what was added, removed, replaced and updated since any other version.
