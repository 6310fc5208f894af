from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("classroom", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="classsession",
            name="card_limit",
            field=models.PositiveSmallIntegerField(default=0, help_text="Only of `write`: cards that are dealt of its texts, at most."),
        ),
    ]
