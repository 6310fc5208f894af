from django.db import migrations, models


class Migration(migrations.Migration):
    """Put the id into the draw's index: drawing from a million tweets then reads no table page."""

    dependencies = [("pool", "0003_moderate_permission")]

    operations = [
        migrations.RemoveIndex(model_name="tweet", name="tweet_draw"),
        migrations.AddIndex(
            model_name="tweet",
            index=models.Index(
                fields=["category", "kind", "draw_key"],
                include=["id"],
                condition=models.Q(("split", "play"), ("status", "approved")),
                name="tweet_draw",
            ),
        ),
    ]
