A sync with the policy ``immediate`` names all package files at once that it cannot download, and with the remote's new field ``on_error`` set to ``skip`` it makes a version without them.
