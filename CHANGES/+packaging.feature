Added the license, links and classifiers to the distributions and the collection, and everything that tests need to the sdist.
