"""Settings: one file, driven by the environment, bad values refused at start.

Every variable read here is described in docs/settings.md; a test keeps the two equal.
"""

from pathlib import Path

from csp.constants import NONE, SELF

from game import environment as env
from game import schedule
from game.embedded import addresses
from game.logs import logging_settings

BASE_DIR = Path(__file__).resolve().parent.parent

# Everything that this installation writes: databases, logs, secrets, downloads.
VAR_DIR = env.folder("VAR", BASE_DIR / "var")

DEBUG = env.flag("DEBUG", False)
# Without SECRET_KEY a key is made once and kept in VAR/secret-key, mode 600.
SECRET_KEY = env.secret("SECRET_KEY", kept_in=VAR_DIR / "secret-key")
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")
# Behind TLS: cookies only over https, and the proxy's word for the scheme.
HTTPS = env.flag("HTTPS", False)
# How many proxies in front append to X-Forwarded-For; 0 trusts no header.
TRUSTED_PROXIES = env.whole("TRUSTED_PROXIES", 0, minimum=0, maximum=100)

INSTALLED_APPS = [
    "servestatic.runserver_nostatic",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "game",
    "game.accounts",
    "game.pool",
    "game.live",
    "game.play",
    "game.moderation",
    "game.classroom",
    "scraping",
    "generation",
    "generation.duel",
    "generation.autoscale",
    "training",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "game.urls"
ASGI_APPLICATION = "game.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "game.context.origin",
            ],
        },
    },
]

# --- PostgreSQL and Redis: without an address the embedded ones of `make play` ---------------
DATABASES = {"default": env.postgres("DATABASE_URL", addresses.database_url(VAR_DIR))}
# Each request runs in a thread of its own under ASGI, so only a pool keeps connections alive
# between requests. The web process asks for one (game/asgi.py); workers hold one connection.
DB_POOL_SIZE = env.whole("DB_POOL_SIZE", 0, minimum=0, maximum=1000)
if DB_POOL_SIZE == 1:
    raise env.refuse("DB_POOL_SIZE", 1, "2 or more, or 0 for no pool")
if DB_POOL_SIZE:
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {"min_size": 2, "max_size": DB_POOL_SIZE, "timeout": 10}
    DATABASES["default"]["ENGINE"] = "game.pooled"
else:
    DATABASES["default"] |= {"CONN_MAX_AGE": 300, "CONN_HEALTH_CHECKS": True}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.redis_address("REDIS_URL", addresses.redis_url(VAR_DIR))
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "birdorbot",
        "OPTIONS": {"pool_class": "game.cache.SharedPool"},
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "birdorbot"},
    }
}

# --- Celery --------------------------------------------------------------------------------
# kombu spells a Unix socket differently from redis-py.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # however long Redis is away
# What runs while Redis goes away is finished; done twice it changes nothing.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_TASK_ROUTES = schedule.QUEUES
# A task that takes longer is told to end, and a little later killed with its process.
CELERY_TASK_SOFT_TIME_LIMIT = env.whole("TASK_SOFT_LIMIT_SECONDS", 240, minimum=1, maximum=86_400)
CELERY_TASK_TIME_LIMIT = env.whole("TASK_LIMIT_SECONDS", 300, minimum=1, maximum=86_400)
# After so long Redis hands a task that nobody acknowledged to another worker.
VISIBILITY_TIMEOUT = env.whole("TASK_VISIBILITY_SECONDS", 600, minimum=1, maximum=86_400)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": VISIBILITY_TIMEOUT,
    "global_keyprefix": "birdorbot.",
    # In the order in which a worker names its queues: -Q clock,duel,generation.
    "queue_order_strategy": "priority",
    # A server that went away without a word is noticed.
    "socket_keepalive": True,
    "health_check_interval": 25,
}
if not CELERY_TASK_SOFT_TIME_LIMIT < CELERY_TASK_TIME_LIMIT:
    raise env.refuse("TASK_SOFT_LIMIT_SECONDS", CELERY_TASK_SOFT_TIME_LIMIT, f"less than TASK_LIMIT_SECONDS ({CELERY_TASK_TIME_LIMIT})")
if not CELERY_TASK_TIME_LIMIT < VISIBILITY_TIMEOUT:
    raise env.refuse("TASK_LIMIT_SECONDS", CELERY_TASK_TIME_LIMIT, f"less than TASK_VISIBILITY_SECONDS ({VISIBILITY_TIMEOUT})")

# --- Generation ----------------------------------------------------------------------------
# Approved machine tweets per category that nobody has been dealt yet; a round takes up to ten.
GENERATION_READY = env.whole("GENERATION_READY", 300, minimum=10)
# More where more is played: what the last hour used up, so many times over, but never more than that.
GENERATION_HOURS_AHEAD = env.seconds("GENERATION_HOURS_AHEAD", 2.0, maximum=168)
GENERATION_READY_AT_MOST = env.whole("GENERATION_READY_AT_MOST", 5_000, minimum=10)
# Tweets that one batch asks for.
GENERATION_BATCH_SIZE = env.whole("GENERATION_BATCH_SIZE", 100, minimum=1, maximum=10_000)
# A batch whose worker has not renewed its lease for so long is given to another.
GENERATION_LEASE_SECONDS = env.whole("GENERATION_LEASE_SECONDS", 60, minimum=2, maximum=86_400)
GENERATION_CHECK_SECONDS = env.seconds("GENERATION_CHECK_SECONDS", 5.0, maximum=86_400)
GENERATION_DEVICE = env.device("GENERATION_DEVICE", "auto")
# A worker that is told to stop finishes its batch, or after so long gives it back.
GENERATION_STOP_SECONDS = env.seconds("GENERATION_STOP_SECONDS", 2.0, maximum=3_600)
# Models that a worker keeps in memory; the one that was used longest ago makes room for another.
GENERATION_MODELS = env.whole("GENERATION_MODELS", 8, minimum=1, maximum=1000)
# Of the servers that run models of the `http` backend.
GENERATION_HTTP_KEY = env.text("GENERATION_HTTP_KEY", "")
GENERATION_HTTP_SECONDS = env.seconds("GENERATION_HTTP_SECONDS", 30.0, maximum=3600)

# --- The duel ------------------------------------------------------------------------------
# Prompts that may wait for an answer at once; over it visitors are offered known ones.
DUEL_WAITING = env.whole("DUEL_WAITING", 100, minimum=1)

# --- The machine of a generation worker, which `manage.py autoscale` starts and stops -------
AUTOSCALE_DRIVER = env.choice("AUTOSCALE_DRIVER", "none", "ec2", "command")
# Celery's name of the worker on it; * stands for anything.
AUTOSCALE_WORKER = env.matching("AUTOSCALE_WORKER", "gpu@*", r"[\w.*-]+@[\w.*-]+", use="a worker's name, as in gpu@*")
AUTOSCALE_AFTER_SECONDS = env.seconds("AUTOSCALE_AFTER_SECONDS", 60.0, maximum=86_400)
AUTOSCALE_IDLE_MINUTES = env.seconds("AUTOSCALE_IDLE_MINUTES", 15.0, maximum=1440)
AUTOSCALE_CHECK_SECONDS = env.seconds("AUTOSCALE_CHECK_SECONDS", 10.0, maximum=3600)
AUTOSCALE_EC2_INSTANCE = env.matching("AUTOSCALE_EC2_INSTANCE", "", r"i-[0-9a-f]{8,17}", use="an instance's id, as in i-0123456789abcdef0")
AUTOSCALE_EC2_REGION = env.matching("AUTOSCALE_EC2_REGION", "", r"[a-z]+(-[a-z]+)+-[0-9]+", use="a region, as in eu-central-1")
# Another endpoint than Amazon's own of that region.
AUTOSCALE_EC2_URL = env.address("AUTOSCALE_EC2_URL", "")
AUTOSCALE_START = env.command("AUTOSCALE_START")
AUTOSCALE_STOP = env.command("AUTOSCALE_STOP")
# Optional: exits with 0 if the machine runs, with 1 or 3 if it does not.
AUTOSCALE_STATE = env.command("AUTOSCALE_STATE")

# --- Training ------------------------------------------------------------------------------
# A run whose worker has not renewed its lease for so long is given to another, which goes on from the last checkpoint.
TRAINING_LEASE_SECONDS = env.whole("TRAINING_LEASE_SECONDS", 60, minimum=2, maximum=86_400)
TRAINING_CHECK_SECONDS = env.seconds("TRAINING_CHECK_SECONDS", 5.0, maximum=86_400)

# --- Scraping ------------------------------------------------------------------------------
X_BEARER_TOKEN = env.text("X_BEARER_TOKEN", "")
SCRAPE_X_URL = env.address("SCRAPE_X_URL", "https://api.x.com")
SCRAPE_BLUESKY_URL = env.address("SCRAPE_BLUESKY_URL", "https://public.api.bsky.app")
# Without one, each account is read at its own instance.
SCRAPE_MASTODON_URL = env.address("SCRAPE_MASTODON_URL", "")
SCRAPE_PROXIES = env.proxies("SCRAPE_PROXIES")
# After a ban: go on through the next proxy, instead of leaving the source alone.
SCRAPE_ROTATE = env.flag("SCRAPE_ROTATE", False)
SCRAPE_BAN_REST_HOURS = env.whole("SCRAPE_BAN_REST_HOURS", 24, minimum=1, maximum=8760)
# Posts of one account in one run.
SCRAPE_CAP = env.whole("SCRAPE_CAP", 5_000, minimum=1)
# Whether posts are kept as they were before cleaning, to be cleaned again when the rules change.
SCRAPE_KEEP_RAW = env.flag("SCRAPE_KEEP_RAW", True)
# A run whose process has not renewed its lease for so long is given to another, which goes on at the next page.
SCRAPE_LEASE_SECONDS = env.whole("SCRAPE_LEASE_SECONDS", 60, minimum=2, maximum=86_400)
SCRAPE_CHECK_SECONDS = env.seconds("SCRAPE_CHECK_SECONDS", 5.0, maximum=86_400)

# --- Moderation ----------------------------------------------------------------------------
MODERATION_CHECK_SECONDS = env.seconds("MODERATION_CHECK_SECONDS", 5.0, maximum=86_400)

# --- Classes -------------------------------------------------------------------------------
# Students in one class session.
CLASS_SEATS = env.whole("CLASS_SEATS", 1_000, minimum=1, maximum=100_000)
# After so many days a class is deleted by itself, with all that its students did; teachers may choose fewer.
CLASS_KEEP_DAYS = env.whole("CLASS_KEEP_DAYS", 90, minimum=1, maximum=3_650)
# How often the clock looks for cards whose time is up: each has a task of its own, which may be late.
CLASS_CHECK_SECONDS = env.seconds("CLASS_CHECK_SECONDS", 2.0, maximum=3_600)

# --- The clock -----------------------------------------------------------------------------
CELERY_BEAT_SCHEDULE = schedule.every(
    {
        "generation.tasks.keep_pool_ready": GENERATION_CHECK_SECONDS,
        "generation.duel.tasks.keep_duels_going": GENERATION_CHECK_SECONDS,
        "training.tasks.keep_training_going": TRAINING_CHECK_SECONDS,
        "scraping.tasks.keep_scraping_going": SCRAPE_CHECK_SECONDS,
        "game.moderation.tasks.look_through_new_tweets": MODERATION_CHECK_SECONDS,
        "game.classroom.tasks.move_on_what_is_due": CLASS_CHECK_SECONDS,
        "game.classroom.tasks.delete_old_classes": 3600.0,
    }
)

# --- Accounts and security -----------------------------------------------------------------
LOGIN_URL = "accounts:sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS and TRUSTED_PROXIES else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
# Requests that one address may make (django-ratelimit's notation). A school shares one address.
RATE_START = env.rate("RATE_START", "120/m")
RATE_GUESS = env.rate("RATE_GUESS", "40/s")
RATE_SIGN_IN = env.rate("RATE_SIGN_IN", "10/m")
RATE_SIGN_UP = env.rate("RATE_SIGN_UP", "60/m")
RATE_DUEL = env.rate("RATE_DUEL", "300/m")
# New prompts, by visitor: a class behind one address is many, once they have played.
RATE_DUEL_NEW = env.rate("RATE_DUEL_NEW", "30/m")
# A school shares one address. Answers by HTTP: where websockets don't come through.
RATE_JOIN = env.rate("RATE_JOIN", "300/m")
RATE_SEAT_CODE = env.rate("RATE_SEAT_CODE", "30/m")
RATE_ANSWER = env.rate("RATE_ANSWER", "100/s")
RATE_CLASS = env.rate("RATE_CLASS", "240/m")
RATE_CHALLENGE = env.rate("RATE_CHALLENGE", "30/m")
# Tweets that players report.
RATE_REPORT = env.rate("RATE_REPORT", "30/m")
RATE_TRAINING = env.rate("RATE_TRAINING", "60/m")
RATE_SCRAPING = env.rate("RATE_SCRAPING", "60/m")
RATE_GENERATION = env.rate("RATE_GENERATION", "60/m")
# A fast moderator decides two a second, and several sit behind one address.
RATE_MODERATION = env.rate("RATE_MODERATION", "40/s")

# --- Import --------------------------------------------------------------------------------
# What becomes of a post that ends in a link: "drop" it, or "strip" the link.
IMPORT_TRAILING_LINKS = env.choice("IMPORT_TRAILING_LINKS", "drop", "strip")

# --- Static files, language, time ----------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "servestatic.storage.CompressedManifestStaticFilesStorage"},
}
LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

LOGGING = logging_settings(env.level("LOG_LEVEL", "INFO"))
