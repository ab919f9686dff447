"""Trusted publishing: a workflow of a CI service uploads without a stored secret.

providers   the CI services that the site trusts, from the setting `WORKLOAD_IDENTITY`
keys        the keys with which a provider signs
identity    an ID token → what its provider says of the workflow
claims      what a publisher expects of these claims
minting     a workflow that a publisher expects → a token to upload
door        the URL where clients ask for that

Sources: OpenID Connect Core 1.0 section 2 (ID tokens), RFC 7519 (JWT), RFC 7517 (JWK), RFC 8725
(best practices), and `rattler_networking/src/trusted_publishing.rs` of rattler, the client.
"""
