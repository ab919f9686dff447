Added ``pulp conda channel create --base`` and ``--overrides``: the channel that clients shall load with this one (CEP 42), by name.
