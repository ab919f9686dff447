"""The package names of a publication, for people: pages, searches and commands.

What a channel of conda-forge's size has of its 34,000 names takes some megabytes, about a hundredth
of its metadata files. So each publication has its own, which go with it, and nothing is shared that
would have to be counted.
"""

from django.db import models

from pulp_conda.app.models.publication import CondaPublication


class PublicationNames(models.Model):
    """What is searched in all names of a publication, each kind in one piece.

    Publications that were made before this was kept have none.

    Fields:
        count (int): The number of names.
        searched (bytes): A line for each name, in which a search looks.
        depends (bytes): A line for each name, with the names that it depends on.
    """

    publication = models.OneToOneField(
        CondaPublication, primary_key=True, on_delete=models.CASCADE, related_name="names"
    )
    count = models.IntegerField()
    searched = models.BinaryField()
    depends = models.BinaryField()

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"


class NameBlock(models.Model):
    """What is known of some hundred names of a publication that follow each other.

    Fields:
        first (str): The first of the names, by the bytes of UTF-8.
        data (bytes): The facts, see `pulp_conda.channel.metadata.names`.
    """

    pk = models.CompositePrimaryKey("publication_id", "first")
    publication = models.ForeignKey(CondaPublication, on_delete=models.CASCADE, db_index=False)
    first = models.TextField(db_collation="C")
    data = models.BinaryField()

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
