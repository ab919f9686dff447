"""The doors: the upload protocols of prefix.dev, Quetz, Artifactory and anaconda.org.

Whoever moves from one of these servers changes a URL, and nothing else. A door turns its protocol
into who uploads, to which channel, which bytes, which digests they should have, with which
attestation, and whether they may replace a file. `pulp_conda.app.uploading` does the rest.

The doors run in the content app, which is asynchronous: a client that waits until its package is
served holds no process.

The protocols have no specification. They are what the clients send:
https://github.com/conda/rattler/tree/main/crates/rattler_upload and
https://github.com/anaconda/anaconda-client.
"""
