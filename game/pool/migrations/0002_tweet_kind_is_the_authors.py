from django.db import migrations


class Migration(migrations.Migration):
    """Let the database keep tweet.kind equal to author.kind: see docs/adr/0002."""

    dependencies = [("pool", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE pool_tweet ADD CONSTRAINT tweet_kind_is_the_authors"
            " FOREIGN KEY (author_id, kind) REFERENCES pool_author (id, kind)",
            "ALTER TABLE pool_tweet DROP CONSTRAINT tweet_kind_is_the_authors",
        ),
    ]
