"""Code of all modules: the connection to Pulp, the search for resources by name, and reports of
changes and errors.
"""

import re
import traceback
from copy import deepcopy
from functools import partial

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib

try:
    from pulp_glue.common.authentication import GlueAuthProvider
    from pulp_glue.common.context import PulpContentGuardContext, PulpContext
    from pulp_glue.common.exceptions import (
        PulpAuthenticationFailed,
        PulpEntityNotFound,
        PulpException,
        PulpHTTPError,
        PulpNotAutorized,
        PulpNoWait,
    )
    from pulp_glue.conda import context as contexts

    # For the modules.
    from pulp_glue.conda import vocabulary  # pylint: disable=unused-import
    from pulp_glue.conda.answers import sentences, warnings_of

    IMPORT_ERROR = None
except ImportError:
    # The modules still load, and report what is missing.
    contexts = vocabulary = PulpException = None
    IMPORT_ERROR = traceback.format_exc()

CONNECTION = {
    "pulp_url": {"type": "str", "required": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "user_cert": {"type": "path"},
    "user_key": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
    "ca_bundle": {"type": "path"},
    "api_root": {"type": "str", "default": "/pulp/"},
    "domain": {"type": "str", "default": "default"},
}
WAITING = {
    "timeout": {"type": "int", "default": 1800},
    "refresh_api_cache": {"type": "bool", "default": False},
}
STATE = {"state": {"type": "str", "choices": ["present", "absent"]}}
LABELS = {"pulp_labels": {"type": "dict"}}
LABEL_SELECT = {"pulp_label_select": {"type": "str"}}

# Fields that the server never shows. In check mode, the result would contain them.
_SECRETS = {
    "client_key",
    "password",
    "proxy_password",
    "proxy_username",
    "token",
    "username",
    "webhook_secret",
}
# Fields that differ between servers, or change without a change of the configuration.
_NOT_SHOWN = _SECRETS | {
    "hidden_fields",
    "no_content_change_since",
    "prn",
    "pulp_created",
    "pulp_href",
    "pulp_last_updated",
    "warnings",
}

# The codes of errors that earlier tasks may prevent: a stage serves nothing, or a channel does not
# have the package.
_NOT_YET = ("CND0035", "CND0056")

_CODE = re.compile(r"\[([A-Z]{3}\d{4})\]")


def run(work, options, **rules):
    """Run a module: call its function, and report the results or the error.

    Args:
        work: The function of the module, which returns the results.
        options: The argument specification without the connection.
        rules: More arguments of `CondaModule`.
    """
    module = CondaModule(options, **rules)
    try:
        results = work(module)
    except PulpNoWait as notice:
        module.fail_json(msg=f"{notice} The task continues. Check it, or increase 'timeout'.")
    except PulpAuthenticationFailed:
        module.fail(f"{module.server} refuses this login. Check 'username' and 'password'.")
    except PulpNotAutorized as error:
        user = module.params["username"] or "nobody"
        module.fail(f"{module.server} does not allow '{user}' to do this: {error.operation_id}.")
    except (PulpException, OSError) as error:
        module.fail(text_of(error))
    module.exit_json(**results)


class CondaModule(AnsibleModule):
    """A module that uses Pulp through pulp-glue."""

    def __init__(self, options, **rules):
        connection = {
            name: {**option, "fallback": (env_fallback, [_variable(name)])}
            for name, option in CONNECTION.items()
        }
        super().__init__(
            argument_spec={**connection, **WAITING, **options},
            required_together=[("username", "password")],
            supports_check_mode=True,
            **rules,
        )
        if IMPORT_ERROR:
            text = missing_required_lib("pulp-glue-conda", url="https://pypi.org/p/pulp-glue-conda")
            self.fail_json(msg=text, exception=IMPORT_ERROR)
        self._pulp = {}

    @property
    def server(self):
        """The name of the server in messages."""
        return f"'{self.params['pulp_url']}'"

    @property
    def pulp(self):
        """The connection. In check mode, it cannot change anything."""
        return self._connected(self.check_mode)

    @property
    def asking_pulp(self):
        """A connection that sends requests in check mode, too.

        It is for POST requests that change nothing, such as a dry run.
        """
        return self._connected(False)

    def context(self, kind, pulp=None, **key):
        """Return the glue context of a kind, for example `Remote`, for the entity with this key."""
        return self._context_class(kind)(pulp or self.pulp, entity=key)

    def href(self, kind, name):
        """Return the href of the entity of this name. In check mode, it can be a placeholder.

        None and an empty text are returned unchanged. None leaves a field as it is, and an empty
        text clears it.
        """
        return self.find(kind, name)["pulp_href"] if name else name

    def find(self, kind, name):
        """Return the entity of this name.

        If there is none, return a stand-in in check mode and with `state: absent`. Otherwise fail.
        """
        try:
            return self.context(kind, name=name).entity
        except PulpEntityNotFound as error:
            noun = self._context_class(kind).ENTITY
            stand_in = {"pulp_href": f"<{noun} {name}>", "name": name, "is_stand_in": True}
            if self.params.get("state") == "absent":
                return stand_in
            text = f"There is no {noun} '{name}'."
            if not self.check_mode:
                near = [f"'{other}'" for other in getattr(error, "nearest", list)()]
                hint = f"Did you mean {' or '.join(near)}?" if near else "Create it first."
                raise PulpEntityNotFound(f"{text} {hint}") from None
            self.warn(f"{text} In check mode, an earlier task is assumed to make it.")
            return stand_in

    def list(self, kind, limit=0, **wanted):
        """Return the entities of a kind with these values that the user may see, without secrets.

        Args:
            kind: A kind, as for `context`.
            limit: How many entities to return at most. With 0, all of them.
            wanted: Values by filter. None is any value. No entity has an empty text, although the
                server would ignore it.
        """
        if "" in wanted.values():
            return []
        parameters = {name: value for name, value in wanted.items() if value is not None}
        return self.context(kind).list(limit=limit, offset=0, parameters=parameters)

    def find_version(self, repository, version=None):
        """Return the href of a version of a repository.

        If there is no repository, fail. In check mode, return None then.

        Args:
            repository: The name of the repository.
            version: The number of the version. None is the latest one.
        """
        found = self.find("Repository", repository)
        if "is_stand_in" in found:
            return None
        if version is None:
            return found["latest_version_href"]
        return f"{found['pulp_href']}versions/{version}/"

    def only_names(self, *keys):
        """Return whether the task names a resource and gives nothing else, not even `state`.

        Such a task reads the resource, and does not create it: see `read`.

        Args:
            keys: The options that name the resource.
        """
        others = self.argument_spec.keys() - CONNECTION.keys() - WAITING.keys() - set(keys)
        return all(
            self.params[option] in (None, self.argument_spec[option].get("default"))
            for option in others
        )

    def read(self, kind, name, **found):
        """Return the results of a task that only names a resource.

        If there is none, fail. In check mode, warn and return an empty resource.

        Args:
            kind: A kind, as for `context`.
            name: The name for messages.
            found: The resource by the name of the result, or None.
        """
        result, entity = found.popitem()
        if entity is None:
            text = f"There is no {self._context_class(kind).ENTITY} '{name}'."
            if not self.check_mode:
                self.fail(f"{text} To create it, give its options, or 'state: present'.")
            self.warn(f"{text} In check mode, an earlier task is assumed to make it.")
            entity = {}
        return results(False, entity, entity, **{result: entity})

    def given(self, *options):
        """Return those of the options that have a value, by name."""
        return {name: self.params[name] for name in options if self.params[name] is not None}

    def converge(self, context, desired):
        """Create, change or delete a resource so that it has these fields.

        Args:
            context: The context from `context`.
            desired: The fields of the resource, or None to delete it.

        Returns:
            Whether it was changed, the resource before, and the resource after. A resource that
                does not exist is None.
        """
        before = self.existing(context)
        changed, _before, after = context.converge(desired)
        return changed, before, after

    def comes_later(self, error):
        """Return whether an error only occurs because earlier tasks did nothing in check mode.

        Such an error becomes a warning.
        """
        is_one = self.check_mode and any(code in str(error) for code in _NOT_YET)
        if is_one:
            self.warn(f"{text_of(error)} Earlier tasks may prevent this, but not in check mode.")
        return is_one

    def existing(self, context):
        """Return a copy of a resource, or None. Later calls do not change the copy."""
        try:
            return deepcopy(context.entity)
        except PulpEntityNotFound:
            return None

    def fail(self, text, **results):
        """Fail with an error, and with its code if it has one."""
        code = _CODE.search(text)
        self.fail_json(msg=text, **results, **({"code": code[1]} if code else {}))

    def _context_class(self, kind):
        if kind == "ContentGuard":  # content guards of all plugins
            return PulpContentGuardContext
        return getattr(contexts, f"PulpConda{kind}Context")

    def _connected(self, is_fake):
        if is_fake not in self._pulp:
            pulp = self._connect(is_fake, self.params["refresh_api_cache"])
            (needed,) = contexts.PulpCondaRepositoryContext.NEEDS_PLUGINS
            if not pulp.has_plugin(needed):
                # The cached description of the API may be older than the plugin.
                pulp = self._connect(is_fake, refresh_cache=True)
            if not pulp.has_plugin(needed):
                has = pulp.component_versions.get("conda")
                self.fail(
                    f"{self.server} has {f'pulp_conda {has}' if has else 'no pulp_conda'}. "
                    f"This collection needs pulp_conda {needed.specifier}. Install it on the "
                    "server."
                )
            self._pulp[is_fake] = pulp
        return self._pulp[is_fake]

    def _connect(self, is_fake, refresh_cache):
        pulp = self._make_context(is_fake, refresh_cache)
        try:
            pulp.api  # loads the description of the API
        except (PulpException, OSError, LookupError, TypeError, ValueError) as error:
            # Any program may answer at the URL, so many kinds of errors are possible.
            self.fail(f"{self.server} does not answer as Pulp does: {error}. Check 'pulp_url'.")
        return pulp

    def _make_context(self, is_fake, refresh_cache):
        login = {
            "username": self.params["username"],
            "password": self.params["password"],
            "cert": self.params["user_cert"],
            "key": self.params["user_key"],
        }
        context = PulpContext(
            api_root=self.params["api_root"],
            api_kwargs={
                "base_url": self.params["pulp_url"],
                "auth_provider": GlueAuthProvider(**{k: v for k, v in login.items() if v}),
                "refresh_cache": refresh_cache,
                "user_agent": "pulp.conda (Ansible)",
            },
            domain=self.params["domain"],
            timeout=self.params["timeout"],
            fake_mode=is_fake,
            verify_ssl=self.params["validate_certs"] and (self.params["ca_bundle"] or True),
        )
        context.wait_for_task = partial(self._wait_for_task, context.wait_for_task)
        return context

    def _wait_for_task(self, wait, task, **options):
        """Wait for a task as glue does, and hand its warnings on."""
        task = wait(task, **options)
        for warning in warnings_of(task):
            self.warn(warning)
        return task


def results(changed, before, after, **returned):
    """Return the results of a module, with a diff. None is a resource that does not exist.

    Args:
        returned: Resources by the name of the result. Their secrets are removed.
    """
    return {
        "changed": changed,
        "diff": {"before": _shown(before), "after": _shown(after)},
        **{name: _without(entity, _SECRETS) for name, entity in returned.items()},
    }


def text_of(error):
    """Return an error of pulp-glue as sentences for people."""
    return sentences(error) if isinstance(error, PulpHTTPError) else str(error)


def is_shown_as(shown, url):
    """Return whether the server shows a URL so: with `***` in the place of secrets."""
    pattern = ".*".join(re.escape(part) for part in (shown or "").split("***"))
    return re.fullmatch(pattern, url) is not None


def version_number(repository):
    """Return the number of the latest version of a repository."""
    return int(repository["latest_version_href"].rstrip("/").rpartition("/")[2])


def _shown(entity):
    return _without(entity or {}, _NOT_SHOWN)


def _without(entity, keys):
    return {key: value for key, value in entity.items() if key not in keys}


def _variable(option):
    return option.upper() if option.startswith("pulp_") else f"PULP_{option.upper()}"
