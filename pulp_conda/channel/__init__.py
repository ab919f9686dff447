"""What a conda channel is, in plain Python: no Django, no network, no clock, no global state.

What all other modules use:

layout                         every path of a channel, both ways: path ↔ meaning
records                        PackageRecord: one entry of repodata, canonical, unknown keys kept
fields                         the fields of records: what odd values mean, and which mean nothing
versions                       the order of package versions
matchspec                      MatchSpec, and filters that say why a package is left out
clear_specs                    the MatchSpecs that all clients read alike
moments                        texts that say which state of a channel is meant
timetable                      when something is repeated: intervals, and cron lines in a time zone
storable                       which texts and JSON values can be stored
secrets                        what a secret in a URL or a header looks like, and texts without it
errors                         every way a package, a record or a channel can be wrong, with codes

A package file:

package.package                the record of a .conda or .tar.bz2 file
package.info                   its other metadata: about, run_exports, licenses, scripts
package.recipe                 the URLs of the sources that it was built from
package.archive                its archives, read once from start to end, with limits
package.convert                a .conda file made of a .tar.bz2 file
package.payload                a check that it has the files that it lists, with their bytes
package.tree                   a check that no member of the archives is outside of the package
package.attestations           signed statements about packages, and the files with them

The files beside the packages:

metadata.repodata              repodata.json: the records of a subdir, read and written as a stream
metadata.stream                JSON and zstd of any size, entry by entry
metadata.splice                JSON files that are copied from earlier ones, but for some names
metadata.compression           the zstd levels of published files
metadata.shards                the records of one package name in one file, with an index
metadata.run_exports           run_exports.json: dependencies that packages add to other packages
metadata.channeldata           channeldata.json: one summary per package name
metadata.names                 what people ask about package names: for searches and pages
metadata.empty                 the files of a channel and of subdirs without packages
metadata.current_repodata      the newest packages and what they need, for old clients
metadata.v3                    the `v3` section of repodata: what belongs there and in which form
metadata.patches               instructions that change records
metadata.patch_instructions    checks of such instructions when they come from others
metadata.notices               messages that clients show to their users
metadata.relations             references of a channel to other channels
metadata.atom                  the history of a channel as an Atom feed

What people want to install, and the exact files that they get:

environments.specs             an environment: what to install, and on which platforms
environments.draft             an environment whose specs are not checked yet
environments.environment_yml   environments in the file `environment.yml`
environments.manifests         environments in the files `pixi.toml` and `pyproject.toml`
environments.virtual_packages  the facts about a machine on which packages can depend
environments.plain_yaml        YAML from others, read as mappings, lists and texts
lockfiles.read                 lock files: the exact files to install, with their hashes
lockfiles.model                the content of a lock file, whatever its format is
lockfiles.write                solutions of a solver as lock files

Which packages may be served:

policies.rules                 the rules for packages
policies.licenses              the licenses that a rule allows
policies.satisfaction          whether the dependencies of packages are there

Which packages go into another channel:

selection.matching             the packages that specs match
selection.pool                 the packages of a source and a target, and what a dependency takes
selection.survey               what could be installed at all, without solving
selection.closure              what comes along, so that it can be installed: with a solver
selection.rules                how much a curated mirror takes, and what may never be in it
selection.curation             which packages of an upstream a curated mirror has
selection.selected             what was selected, and why

Which channel a package comes from, where several are served as one:

ownership                      the owner of each package name, and rules that say it

The changes between two states, and messages about them:

diff                           the changes between two states of a channel
returning                      the specs that bring a client back after its channel went back
changelog                      the changes as Markdown for people, and in one line
webhooks                       signed messages about a channel for other programs
"""
