import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):
    """Build the index of near-copies anew, without a list of marks that wait to be sorted in."""

    dependencies = [("pool", "0009_the_log_is_append_only")]

    operations = [
        migrations.RemoveIndex(model_name="nearmarks", name="near_marks_bands"),
        migrations.AddIndex(
            model_name="nearmarks",
            index=django.contrib.postgres.indexes.GinIndex(fields=["bands"], name="near_marks_bands", fastupdate=False),
        ),
    ]
