"""The names that sql/load.sh gives."""


def evaluation(n):
    return f"00000000-0000-4000-8000-{n:012x}"


def user(u):
    return f"10000000-0000-4000-8000-{u:012x}"


def owner(n):
    return user((n - 1) // 5 + 1)
