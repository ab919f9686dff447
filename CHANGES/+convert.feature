Added ``convert`` to repositories: packages that are uploaded as ``.tar.bz2`` also appear as ``.conda``. ``pulp conda channel convert`` does it for packages that are there already.
