"""No operation of Pulp lets a token in that does not say so, also those of other plugins."""

from tests.support.tokens import TOKEN_OPERATIONS, operations_for_tokens


def test_no_operation_lets_a_token_in_that_does_not_say_so(pulp):
    let_in, nothing_there = operations_for_tokens(pulp)
    assert let_in == TOKEN_OPERATIONS
    # pulpcore looks for the object above before it asks who wants to know.
    assert not [name for name in nothing_there if "conda/" in name]
