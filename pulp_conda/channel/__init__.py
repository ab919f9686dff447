"""What a conda channel is, in plain Python: no Django, no network, no clock, no global state.

errors            every way a package, a record or a channel can be wrong, with codes
layout            every path of a channel, both ways: path <-> meaning
records           PackageRecord: one entry of repodata, canonical, unknown keys kept
package           a .conda or .tar.bz2 file gives a record
info              what else a package file says of itself: about, run_exports, licenses, scripts
archive           the archives of a package file, walked once, with limits
members           the members of the archives: that they stay inside of the package
repodata          repodata.json, read as a stream and written the same way every time
stream            JSON and zstd of any size, entry by entry
shards            the same records by package name, with an index
run_exports       run_exports.json: what packages add to those built with them
channeldata       channeldata.json: one summary per package name
current           current_repodata.json: the newest packages and what they need, for clients of old
patches           instructions that change records, and how they do
instructions      the same from strangers: checked, or read from a package
attestations      signed statements about packages, and their sidecars
notices           what clients show to their users
relations         the channels that belong to a channel
revisions         the `v3` section of repodata: what belongs there and in which form
matchspec         MatchSpec, and include/exclude filters that give reasons
versions          the order of package versions

moments           which state of a channel is meant: a version, a date, a stage
diff              what differs between two states of a channel
changelog         the same as Markdown for people, and in one line
feed              what happened to a channel, as an Atom feed
webhooks          the same for programs, signed

environments      what people want to install, read from the files in which they say it
environment_yml   one of these files: `environment.yml`
manifests         the others: `pixi.toml` and `pyproject.toml`
virtual_packages  what a machine has that no channel brings
lockfiles         lock files: which files exactly, by hash
locked            what they say, gathered entry by entry
lockwriting       solutions as lock files
plain_yaml        YAML from strangers, as texts

policies          the rules that packages of a stage have to keep
licenses          which licenses a rule allows
satisfaction      whether what packages depend on is there
closure           which packages have to go along with single ones
"""
