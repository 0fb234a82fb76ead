"""A small project as `django-admin startproject` makes it, its database from DATABASE_URL."""
import os
import urllib.parse

at = urllib.parse.urlsplit(os.environ["DATABASE_URL"])

SECRET_KEY = "for tests only"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "django.contrib.postgres", "shop"]
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": at.path[1:], "USER": at.username, "PASSWORD": at.password, "HOST": at.hostname, "PORT": at.port,
    "CONN_MAX_AGE": int(os.environ.get("CONN_MAX_AGE", "60")),
    # Everything of this project in a schema of its own.
    "OPTIONS": {"options": "-c search_path=django_test"},
    "ATOMIC_REQUESTS": False,
}}
USE_TZ = True
TIME_ZONE = "Europe/Vienna"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
