import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """A page that still shows a tweet which was replaced is told so, instead of being told nothing."""

    dependencies = [("play", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="OldToken",
            fields=[
                ("token", models.CharField(max_length=22, primary_key=True, serialize=False)),
                ("card", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="old_tokens", to="play.card")),
            ],
        ),
    ]
