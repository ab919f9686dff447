"""Pages for people: what a channel has, who needs what, what changed, what each stage serves.

Everybody who may read a channel may read its pages. Where a page names other channels, it names
those that its visitor may read, and is for this visitor alone.
"""
