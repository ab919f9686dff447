Added distributions that serve channels to conda, mamba and pixi, with a page for people, at a cost that does not depend on the size of the channel.
