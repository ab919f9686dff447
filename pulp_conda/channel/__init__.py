"""What a conda channel is, in plain Python: no Django, no network, no clock, no global state.

The words that everybody uses:

layout                         every path of a channel, both ways: path <-> meaning
records                        PackageRecord: one entry of repodata, canonical, unknown keys kept
versions                       the order of package versions
matchspec                      MatchSpec, and include/exclude filters that give reasons
moments                        which state of a channel is meant: a version, a date, a stage
errors                         every way a package, a record or a channel can be wrong, with codes

A package file:

package.package                a .conda or .tar.bz2 file gives a record
package.info                   what else a package file says of itself: about, run_exports, licenses, scripts
package.archive                the archives of a package file, walked once, with limits
package.tree                   the members of the archives: that they stay inside of the package
package.attestations           signed statements about packages, and their sidecars

The files beside the packages:

metadata.repodata              repodata.json, read as a stream and written the same way every time
metadata.stream                JSON and zstd of any size, entry by entry
metadata.shards                the same records by package name, with an index
metadata.run_exports           run_exports.json: what packages add to those built with them
metadata.channeldata           channeldata.json: one summary per package name
metadata.current_repodata      the newest packages and what they need, for old clients
metadata.v3                    the `v3` section of repodata: what belongs there and in which form
metadata.patches               instructions that change records, and how they do
metadata.patch_instructions    the same from others: checked, or read from a package
metadata.notices               what clients show to their users
metadata.relations             the channels that belong to a channel
metadata.atom                  what happened to a channel, as an Atom feed

What people want to install, and what exactly they get:

environments.specs             an environment: what people want to install, and on which machines
environments.draft             the same before its specs are checked
environments.environment_yml   one of the files that say it: `environment.yml`
environments.manifests         the others: `pixi.toml` and `pyproject.toml`
environments.virtual_packages  what a machine has that no channel brings
environments.plain_yaml        YAML from others, as texts
lockfiles.read                 lock files: which files exactly, by hash
lockfiles.model                what they say, gathered entry by entry
lockfiles.write                solutions as lock files

What a stage asks of its packages:

policies.rules                 the rules that packages of a stage have to keep
policies.licenses              which licenses a rule allows
policies.satisfaction          whether what packages depend on is there
policies.closure               which packages have to go along with single ones

What differs between two states, and who is told:

diff                           what differs between two states of a channel
changelog                      the same as Markdown for people, and in one line
webhooks                       the same for programs, signed
"""
