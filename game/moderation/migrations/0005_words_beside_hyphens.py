"""Index again the words of tweets with hyphens, which are searched for word by word now; the others' stay as they are."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("moderation", "0004_reviews_and_receipts_stay")]

    operations = [
        migrations.RunSQL(
            """
            UPDATE moderation_tweetwords indexed SET words = to_tsvector('simple', replace(tweet.text, '-', ' '))
              FROM pool_tweet tweet
             WHERE tweet.id = indexed.tweet_id AND tweet.text LIKE '%-%'
            """,
            migrations.RunSQL.noop,
        ),
    ]
