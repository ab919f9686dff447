"""Serializers that refuse at once what would fail later."""

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import FieldDoesNotExist
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connection, transaction
from django.db.models import Model
from rest_framework import serializers

from pulp_conda.app.results import checked


class StrictFields(serializers.Serializer):
    """A serializer whose inherited fields refuse at once what would fail later.

    - A reference has to be a text that can be the path of a URL. The fields of pulpcore expect
      that, and fail.
    - A number has to fit the column that it is for.
    """

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        for name, field in fields.items():
            if isinstance(field, serializers.IntegerField) and not field.read_only:
                self._limit(field, field.source or name)
        return fields

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict):
            problems = {
                name: _reference_problem(field, data.get(name))
                for name, field in self.fields.items()
                if isinstance(field, serializers.HyperlinkedRelatedField) and not field.read_only
            }
            if wrong := {name: [problem] for name, problem in problems.items() if problem}:
                raise serializers.ValidationError(wrong)
        return super().to_internal_value(data)

    def _limit(self, field: serializers.IntegerField, name: str) -> None:
        """Add the range of the column to a field that has no narrower one."""
        try:
            column = self.Meta.model._meta.get_field(name)
        except (AttributeError, FieldDoesNotExist):
            return
        lowest, highest = connection.ops.integer_field_range(column.get_internal_type())
        if field.min_value is None:
            field.min_value = lowest
            message = field.error_messages["min_value"].format(min_value=lowest)
            field.validators.append(MinValueValidator(lowest, message=message))
        if field.max_value is None:
            field.max_value = highest
            message = field.error_messages["max_value"].format(max_value=highest)
            field.validators.append(MaxValueValidator(highest, message=message))


class SavedAsWhole(serializers.Serializer):
    """A serializer that saves an object only if the API can say what it saved.

    pulpcore's tasks that create and change objects have this as their result.
    """

    def save(self, **kwargs: Any) -> Model:
        with transaction.atomic():
            instance = super().save(**kwargs)
            checked(self.to_representation(instance))
        return instance


def _reference_problem(field: serializers.HyperlinkedRelatedField, reference: object) -> str | None:
    """Return what the field itself would say of a reference, if it did not fail."""
    if not isinstance(reference, str | None):
        message: str = field.error_messages["incorrect_type"]
        return message.format(data_type=type(reference).__name__)
    try:
        urlsplit(reference or "")
    except ValueError:
        return str(field.error_messages["no_match"])
    return None
