"""What a conda channel is, in plain Python: no Django, no network, no clock, no global state.

errors      every way a package, a record or a channel can be wrong, with codes
layout      every path of a channel, both ways: path <-> meaning
records     PackageRecord: one entry of repodata, canonical, unknown keys kept
package     a .conda or .tar.bz2 file gives a record
archive     the archives of a package file, walked once, with limits
members     the members of the archives: that they stay inside of the package
repodata    repodata.json, read as a stream and written the same way every time
shards      the same by package name, with an index
matchspec   MatchSpec, and include/exclude filters that give reasons
versions    the order of package versions
diff        what differs between two states of a channel
"""
