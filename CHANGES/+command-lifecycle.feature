Added the commands ``pulp conda lifecycle``, ``environment``, ``lock`` and ``delivery``, which end with code 3 if a gate blocks a promotion and with code 4 if it waits for an approval.
