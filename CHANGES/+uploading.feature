Uploads to a channel that arrive together became one version and one publication, and each is answered when its package is served.
