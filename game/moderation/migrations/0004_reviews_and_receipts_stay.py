from django.db import migrations, models

PROTECT = """
    CREATE TRIGGER reviews_are_not_changed BEFORE UPDATE ON moderation_review
    FOR EACH ROW EXECUTE FUNCTION pool_refuse_change();
    CREATE TRIGGER takedowns_are_append_only BEFORE UPDATE OR DELETE ON moderation_takedown
    FOR EACH ROW EXECUTE FUNCTION pool_refuse_change();
"""
UNPROTECT = """
    DROP TRIGGER reviews_are_not_changed ON moderation_review;
    DROP TRIGGER takedowns_are_append_only ON moderation_takedown;
"""


class Migration(migrations.Migration):
    """Nobody changes what somebody said of a tweet, or what a receipt says. An undone review goes; the log keeps that it was there."""

    dependencies = [("moderation", "0003_words_of_tweets"), ("pool", "0009_the_log_is_append_only")]

    operations = [
        migrations.AddField(
            model_name="takedown",
            name="completions",
            field=models.PositiveIntegerField(default=0, db_default=0, help_text="How many texts of the duel were hidden."),
        ),
        migrations.AddField(
            model_name="takedown",
            name="categories",
            field=models.JSONField(default=dict, db_default={}, help_text="How many tweets, by the slug of their category."),
        ),
        migrations.RunSQL(PROTECT, UNPROTECT),
    ]
