from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("conda", "0031_uploads_task")]

    operations = [
        migrations.CreateModel(
            name="PublicationNames",
            fields=[
                (
                    "publication",
                    models.OneToOneField(
                        on_delete=models.deletion.CASCADE,
                        primary_key=True,
                        related_name="names",
                        serialize=False,
                        to="conda.condapublication",
                    ),
                ),
                ("count", models.IntegerField()),
                ("searched", models.BinaryField()),
                ("depends", models.BinaryField()),
            ],
            options={"default_related_name": "%(app_label)s_%(model_name)s"},
        ),
        migrations.CreateModel(
            name="NameBlock",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "publication_id",
                        "first",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("first", models.TextField(db_collation="C")),
                ("data", models.BinaryField()),
                (
                    "publication",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=models.deletion.CASCADE,
                        to="conda.condapublication",
                    ),
                ),
            ],
            options={"default_related_name": "%(app_label)s_%(model_name)s"},
        ),
    ]
