from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("conda", "0027_content_guard")]

    operations = [
        migrations.CreateModel(
            name="PublicationLayout",
            fields=[
                (
                    "publication",
                    models.OneToOneField(
                        on_delete=models.deletion.CASCADE,
                        primary_key=True,
                        related_name="layout",
                        serialize=False,
                        to="conda.condapublication",
                    ),
                ),
                ("writer", models.CharField(max_length=64)),
                ("facts", models.JSONField()),
                ("data", models.BinaryField()),
            ],
            options={"default_related_name": "%(app_label)s_%(model_name)s"},
        ),
    ]
