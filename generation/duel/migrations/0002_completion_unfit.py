from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("duel", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="completion",
            name="unfit",
            field=models.CharField(blank=True, help_text="Why the pool would not take it: a generation.rules.Drop.", max_length=40),
        ),
    ]
