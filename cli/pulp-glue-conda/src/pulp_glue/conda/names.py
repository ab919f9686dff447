"""What is looked for by name, and which name was meant if there is none."""

import typing as t
from difflib import get_close_matches

from pulp_glue.common.context import PulpEntityContext
from pulp_glue.common.exceptions import PulpEntityNotFound
from pulp_glue.common.i18n import get_translation

translation = get_translation(__package__)
_ = translation.gettext

# Suggestions are for people: of a server with more names than that, the first ones do.
_MOST_NAMES = 1000


class UnknownName(PulpEntityNotFound):
    """The server has nothing of this kind and name that the user may see.

    Attributes:
        context: Of what was looked for.
        name: What was looked for.
    """

    def __init__(self, context: PulpEntityContext, name: str) -> None:
        text = _("There is no {entity} '{name}'.").format(entity=context.ENTITY, name=name)
        super().__init__(text)
        self.context = context
        self.name = name

    def nearest(self) -> list[str]:
        """Ask the server for the names that it has, and return those that come near, the nearest
        first.
        """
        query = {"limit": _MOST_NAMES, "fields": ["name"], **self.context.scope}
        if repository_ctx := getattr(self.context, "repository_ctx", None):
            query["repository_version"] = repository_ctx.entity["latest_version_href"]
        found = self.context.call("list", parameters=query)["results"]
        # Two environments may have the same name, in different repositories.
        names = dict.fromkeys(each["name"] for each in found)
        return get_close_matches(self.name, list(names))


class Named(PulpEntityContext):
    """Says what is not there in a form that a suggestion can be made of."""

    def find(self, **kwargs: t.Any) -> t.Any:
        # The server takes no name for any name, which can be the only one that there is.
        if kwargs.get("name") == "":
            raise UnknownName(self, "")
        try:
            return super().find(**kwargs)
        except UnknownName:  # of the repository where it was looked for
            raise
        except PulpEntityNotFound:
            if kwargs.keys() != {"name"}:
                raise
            raise UnknownName(self, kwargs["name"]) from None
