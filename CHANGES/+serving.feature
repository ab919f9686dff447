Added distributions that serve channels to conda, mamba and pixi, with a page for people. The cost of a request does not depend on the size of the channel.
