"""No reference is forgotten: serializers and filters look references up in one place. And no
viewset is forgotten that checks requests.
"""

import pytest
from rest_framework.relations import ManyRelatedField, RelatedField

from pulpcore.plugin.viewsets import ContentViewSet

from pulp_conda.app import serializers, viewsets
from pulp_conda.app.serializers.references import VisibleReferencesMixin
from pulp_conda.app.viewsets.references import (
    VisibleContentMixin,
    VisibleParentMixin,
    VisibleReferencesFilterMixin,
)
from pulp_conda.app.viewsets.requests import CheckedRequests

SERIALIZERS = [getattr(serializers, name) for name in serializers.__all__]
VIEWSETS = [getattr(viewsets, name) for name in viewsets.__all__]


def _all_of(serializer):
    """Yield a serializer and those that it contains."""
    yield serializer
    for field in serializer.fields.values():
        field = getattr(field, "child", field)
        if hasattr(field, "fields"):
            yield from _all_of(field)


@pytest.mark.parametrize("serializer_class", SERIALIZERS)
def test_a_serializer_with_references_checks_them(serializer_class):
    for serializer in _all_of(serializer_class()):
        references = [
            name
            for name, field in serializer.fields.items()
            if isinstance(field, RelatedField | ManyRelatedField) and not field.read_only
        ]
        assert not references or isinstance(serializer, VisibleReferencesMixin), references
        # The mixin knows fields with one reference.
        assert not any(isinstance(serializer.fields[name], ManyRelatedField) for name in references)


@pytest.mark.parametrize("viewset", VIEWSETS)
def test_a_viewset_checks_what_its_url_names(viewset):
    has_reference = {"repository", "remote", "content", "repository_version"} & {
        *viewset.filterset_class.base_filters
    }
    assert not has_reference or issubclass(viewset.filterset_class, VisibleReferencesFilterMixin)
    assert not viewset.parent_lookup_kwargs or issubclass(viewset, VisibleParentMixin)
    assert not issubclass(viewset, ContentViewSet) or issubclass(viewset, VisibleContentMixin)


@pytest.mark.parametrize("viewset", VIEWSETS)
def test_a_viewset_refuses_values_that_cannot_be_stored(viewset):
    assert issubclass(viewset, CheckedRequests)
