"""A thousand clients read channels that move under them, and each finds all that its index
names.
"""

from tests.support.readers import make_moving, read_while_moving


def test_none_of_a_thousand_clients_misses_a_package_while_stages_move(
    pulp, make_repository, unique
):
    lifecycle, swapped = make_moving(pulp, make_repository(autopublish=True), unique)
    read_while_moving(lifecycle, swapped, moves=50, clients_per_move=20)
