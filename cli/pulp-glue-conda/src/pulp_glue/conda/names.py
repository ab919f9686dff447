"""Entities that are found by name, and suggestions for unknown names."""

import typing as t
from difflib import get_close_matches

from pulp_glue.common.context import PulpEntityContext
from pulp_glue.common.exceptions import PulpEntityNotFound
from pulp_glue.common.i18n import get_translation

translation = get_translation(__package__)
_ = translation.gettext

# How many names are compared for a suggestion.
_MOST_NAMES = 1000


class UnknownName(PulpEntityNotFound):
    """The server has no entity of this kind and name that the user may see.

    Attributes:
        context: The context of the entity.
        name: The name of the entity.
    """

    def __init__(self, context: PulpEntityContext, name: str) -> None:
        text = _("There is no {entity} '{name}'.").format(entity=context.ENTITY, name=name)
        super().__init__(text)
        self.context = context
        self.name = name

    def nearest(self) -> list[str]:
        """Request the names on the server, and return the similar ones, the most similar first."""
        query = {"limit": _MOST_NAMES, "fields": ["name"], **self.context.scope}
        if repository_ctx := getattr(self.context, "repository_ctx", None):
            query["repository_version"] = repository_ctx.entity["latest_version_href"]
        found = self.context.call("list", parameters=query)["results"]
        # Environments in different repositories may have the same name.
        names = dict.fromkeys(each["name"] for each in found)
        return get_close_matches(self.name, list(names))


class Named(PulpEntityContext):
    """A context that raises `UnknownName` if no entity has the name."""

    def find(self, **kwargs: t.Any) -> t.Any:
        # The server ignores an empty name, and would return an entity of any name.
        if kwargs.get("name") == "":
            raise UnknownName(self, "")
        try:
            return super().find(**kwargs)
        except UnknownName:  # from the search for the repository
            raise
        except PulpEntityNotFound:
            if kwargs.keys() != {"name"}:
                raise
            raise UnknownName(self, kwargs["name"]) from None
