Added all errors of an uploaded package to one answer: a wrong file name, fields and match specs of ``info/index.json``, files that are not as listed, and all bundles of an attestation.
