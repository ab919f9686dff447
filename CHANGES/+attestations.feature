Added the field ``attestation`` to uploads: Sigstore attestations (CEP 27) are verified, stored and served as ``<file>.sigs`` (CEP 50).
