"""A page of Django's ORM against DATABASE_URL; a line of JSON for each thing tried: its name, whether it held, its value.

    python3 drive.py [part of a name]
"""
import concurrent.futures
import datetime
import decimal
import json
import os
import sys
import time
import traceback
import urllib.parse

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

# pylint: disable=wrong-import-position
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.postgres.aggregates import ArrayAgg, StringAgg
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.core.paginator import Paginator
from django.db import IntegrityError, OperationalError, connection, connections, transaction
from django.db.models import Avg, Case, Count, Exists, F, Max, OuterRef, Prefetch, Q, Subquery, Sum, Value, When, Window
from django.db.models.functions import Lower, Rank, TruncMonth
from shop.models import Maker, Order, Product

TESTS = {}


def test(function):
    TESTS[function.__name__.replace("_", " ")] = function
    return function


def fill(count=30):
    Order.objects.all().delete()
    Product.objects.all().delete()
    Maker.objects.all().delete()
    makers = Maker.objects.bulk_create([Maker(name=f"maker {n}", since=datetime.date(2000 + n, 1, 1)) for n in range(3)])
    Product.objects.bulk_create([Product(name=f"product {n:03}", price=decimal.Decimal(n), stock=n, maker=makers[n % 3], doc={"n": n, "deep": {"odd": bool(n % 2)}},
                                         tags=["all", f"mod{n % 5}"]) for n in range(count)], batch_size=7)
    return makers


@test
def migrating():
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS django_test CASCADE")
        cursor.execute("CREATE SCHEMA django_test")
    call_command("makemigrations", "shop", verbosity=0)
    call_command("migrate", verbosity=0)
    call_command("migrate", verbosity=0)       # nothing is left to do
    call_command("check", databases=["default"], verbosity=0)
    assert ContentType.objects.filter(app_label="shop").count() == 3
    return sorted(connection.introspection.table_names()), Permission.objects.count()


@test
def migrating_back_and_on():
    call_command("migrate", "shop", "zero", verbosity=0)
    assert "shop_product" not in connection.introspection.table_names()
    call_command("migrate", "shop", verbosity=0)
    with connection.cursor() as cursor:
        return sorted(connection.introspection.get_constraints(cursor, "shop_product"))[-2:], \
            [c.name for c in connection.introspection.get_table_description(cursor, "shop_product")]


@test
def users_groups_permissions():
    user = get_user_model().objects.create_user("ann", "ann@example.org", "secret")
    group = Group.objects.create(name="staff")
    group.permissions.set(Permission.objects.filter(content_type__app_label="shop", codename__startswith="add_"))
    user.groups.add(group)
    user = authenticate(username="ann", password="secret")
    assert user and user.has_perm("shop.add_product") and not user.has_perm("shop.delete_product")
    assert authenticate(username="ann", password="wrong") is None
    return sorted(user.get_all_permissions())


@test
def sessions():
    session = SessionStore()
    session["cart"] = [1, 2, "é"]
    session.save()
    for n in range(5):
        again = SessionStore(session_key=session.session_key)
        assert again["cart"][:3] == [1, 2, "é"]
        again["n"] = n
        again.save()
    assert SessionStore(session_key=session.session_key)["n"] == 4
    session.delete()
    assert not SessionStore().exists(session.session_key)


@test
def bulk_create_and_update():
    makers = fill(100)
    assert all(m.pk for m in makers)
    assert Product.objects.count() == 100
    some = list(Product.objects.order_by("name")[:20])
    for p in some:
        p.stock += 1000
    Product.objects.bulk_update(some, ["stock"], batch_size=6)
    assert Product.objects.filter(stock__gte=1000).count() == 20
    Product.objects.bulk_create([Product(name="product 001", price=1, maker=makers[1])], ignore_conflicts=True)
    assert Product.objects.count() == 100
    assert Product.objects.filter(stock__lt=50).delete()[0] == 30


@test
def filters_and_expressions():
    fill()
    assert Product.objects.filter(Q(stock__gt=25) | Q(name__endswith="003"), ~Q(price=27)).count() == 4
    assert Product.objects.filter(stock=F("price")).update(stock=F("stock") * 2, name=Lower("name")) == 30
    assert Product.objects.get(name="product 010").stock == 20
    assert Product.objects.filter(price__in=[1, 2, 3], maker__name__iexact="MAKER 1").values_list("name", flat=True)[0] == "product 001"
    assert Product.objects.filter(name__regex=r"00[1-3]$").count() == 3
    assert Product.objects.exclude(maker__products__name="product 000").count() == 20
    case = Case(When(stock__lt=10, then=Value("few")), default=Value("many"))
    return list(Product.objects.annotate(level=case).order_by("name").values_list("name", "level")[3:7]), \
        list(Maker.objects.filter(Exists(Product.objects.filter(maker=OuterRef("pk"), price__gt=28))).values_list("name", flat=True)), \
        str(Maker.objects.annotate(top=Subquery(Product.objects.filter(maker=OuterRef("pk")).order_by("-price").values("price")[:1])).get(name="maker 0").top)


@test
def aggregates():
    fill()
    whole = Product.objects.aggregate(n=Count("pk"), s=Sum("price"), a=Avg("stock"), m=Max("name"))
    by = list(Maker.objects.annotate(n=Count("products"), s=Sum("products__price")).order_by("name").values_list("name", "n", "s"))
    lists = Maker.objects.annotate(names=ArrayAgg("products__name", ordering="products__name"), text=StringAgg("products__name", ",", ordering="products__name")
                                   ).order_by("name").values_list("names", "text")
    ranks = Product.objects.annotate(r=Window(Rank(), partition_by=F("maker"), order_by=F("price").desc())).order_by("name").values_list("r", flat=True)
    months = Product.objects.annotate(month=TruncMonth("made")).values("month").annotate(n=Count("pk")).count()
    return {k: str(v) for k, v in whole.items()}, [[str(v) for v in row] for row in by], list(lists)[0], list(ranks)[:6], months


@test
def json_and_arrays():
    fill()
    assert Product.objects.get(doc__n=7).name == "product 007"
    assert Product.objects.filter(doc__deep__odd=True).count() == 15
    assert Product.objects.filter(doc__contains={"deep": {"odd": False}}).count() == 15
    assert Product.objects.filter(doc__has_key="n", tags__contains=["mod3"]).count() == 6
    assert Product.objects.filter(tags__overlap=["mod1", "mod2"]).count() == 12
    assert Product.objects.filter(tags__len=2, tags__0="all").count() == 30
    product = Product.objects.get(doc__n=3)
    product.doc["deep"]["é"] = [1, None, {"x": 1.5}]
    product.save(update_fields=["doc"])
    return Product.objects.get(pk=product.pk).doc


@test
def related():
    fill()
    with_maker = list(Product.objects.select_related("maker").order_by("name"))
    assert with_maker[4].maker.name == "maker 1"
    makers = Maker.objects.prefetch_related(Prefetch("products", Product.objects.order_by("-price"), to_attr="dear")).order_by("name")
    assert [m.dear[0].name for m in makers] == ["product 027", "product 028", "product 029"]
    order = Order.objects.create(product=with_maker[3], count=4)
    order.also.set(Maker.objects.all())
    order.also.remove(with_maker[0].maker)
    assert sorted(order.also.values_list("name", flat=True)) == ["maker 1", "maker 2"]
    assert Order.objects.annotate(cost=F("count") * F("product__price")).get().cost == 12
    page = Paginator(Product.objects.order_by("name"), 8).page(4)
    return [p.name for p in page.object_list], page.has_next()


@test
def get_or_create():
    fill(3)
    maker, made = Maker.objects.get_or_create(name="new", defaults={"since": datetime.date(2025, 9, 17)})
    assert made
    again, made = Maker.objects.get_or_create(name="new")
    assert not made and again == maker
    for n in range(3):
        product, made = Product.objects.update_or_create(name="up", maker=maker, defaults={"price": n})
        assert made == (n == 0) and product.price == n
    assert Maker.objects.in_bulk([maker.pk])[maker.pk] == maker
    try:
        Maker.objects.get(name="nobody")
        raise AssertionError
    except Maker.DoesNotExist:
        pass


@test
def one_made_by_many():
    """The same row wanted by eight at a time: one makes it, the others find it."""
    fill(1)

    def work(_):
        try:
            return Maker.objects.get_or_create(name="raced")[1]
        finally:
            connections.close_all()

    with concurrent.futures.ThreadPoolExecutor(8) as crowd:
        assert sum(crowd.map(work, range(8))) == 1
    assert Maker.objects.filter(name="raced").count() == 1


@test
def locks_of_rows():
    """Twelve take from one stock: none is lost."""
    fill(2)
    product = Product.objects.get(name="product 001")
    Product.objects.filter(pk=product.pk).update(stock=100)

    def work(_):
        try:
            for _ in range(3):
                with transaction.atomic():
                    mine = Product.objects.select_for_update().get(pk=product.pk)
                    mine.stock -= 1
                    mine.save()
        finally:
            connections.close_all()

    with concurrent.futures.ThreadPoolExecutor(12) as crowd:
        list(crowd.map(work, range(12)))
    product.refresh_from_db()
    assert product.stock == 64

    def ask(**how):
        try:
            with transaction.atomic():
                return [p.name for p in Product.objects.select_for_update(**how).order_by("name")]
        finally:
            connections.close_all()

    with transaction.atomic():
        Product.objects.select_for_update().get(pk=product.pk)
        with concurrent.futures.ThreadPoolExecutor(1) as other:
            assert other.submit(ask, skip_locked=True).result() == ["product 000"]
            try:
                other.submit(ask, nowait=True).result()
                raise AssertionError
            except OperationalError as e:
                assert e.__cause__.pgcode == "55P03"


@test
def iterators():
    """iterator() reads by a cursor of the server, WITH HOLD outside a transaction."""
    fill(300)
    names = []
    for product in Product.objects.order_by("name").iterator(chunk_size=20):
        names.append(product.name)
        if len(names) % 50 == 0:
            assert Maker.objects.count() == 3
    assert names == [f"product {n:03}" for n in range(300)]
    with transaction.atomic():
        assert sum(1 for _ in Product.objects.iterator(chunk_size=20)) == 300
    two = Product.objects.order_by("name").iterator(chunk_size=10), Product.objects.order_by("-name").iterator(chunk_size=10)
    assert [(a.name, b.name) for a, b in zip(*two)][0] == ("product 000", "product 299")


@test
def transactions():
    fill(1)
    done = []
    with transaction.atomic():
        Maker.objects.create(name="outer")
        transaction.on_commit(lambda: done.append("committed"))
        try:
            with transaction.atomic():
                Maker.objects.create(name="inner")
                Maker.objects.create(name="outer")
        except IntegrityError as e:
            assert e.__cause__.diag.constraint_name.startswith("shop_maker_name")
        with transaction.atomic():
            Maker.objects.create(name="second")
        sid = transaction.savepoint()
        Maker.objects.create(name="third")
        transaction.savepoint_rollback(sid)
        assert not done
    assert done == ["committed"]
    try:
        with transaction.atomic():
            Maker.objects.create(name="lost")
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    try:
        Product.objects.create(name="x", price=-1, maker=Maker.objects.first())
        raise AssertionError
    except IntegrityError as e:
        assert e.__cause__.pgcode == "23514"
    return sorted(Maker.objects.values_list("name", flat=True))


@test
def raw_and_cursors():
    fill()
    assert [p.name for p in Product.objects.raw("SELECT * FROM shop_product WHERE stock > %s ORDER BY name", [27])] == ["product 028", "product 029"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, stock FROM shop_product WHERE name LIKE %s ORDER BY 1", ["%00%"])
        assert len(cursor.fetchall()) == 10
        cursor.executemany("UPDATE shop_product SET stock = %s WHERE name = %s", [(5, f"product {n:03}") for n in range(10)])
        cursor.execute("SHOW timezone")
        zone = cursor.fetchone()
        cursor.execute("SELECT current_schema()")
    return zone, Product.objects.filter(stock=5).count()


@test
def each_thread_its_connection():
    fill(3)

    def work(who):
        try:
            for n in range(6):
                Maker.objects.create(name=f"{who}.{n}")
                assert Maker.objects.filter(name__startswith=f"{who}.").count() == n + 1
                with connection.cursor() as cursor:
                    cursor.execute("SELECT current_schema(), current_setting('timezone')")
                    assert cursor.fetchone() == ("django_test", "UTC")
        finally:
            connections.close_all()

    with concurrent.futures.ThreadPoolExecutor(10) as crowd:
        list(crowd.map(work, range(10)))
    assert Maker.objects.count() == 63


@test
def a_connection_that_is_gone():
    connection.close()
    assert Maker.objects.exists()
    assert connection.is_usable()
    return connection.pg_version // 10000


@test
def commands():
    """inspectdb, dumpdata and loaddata, sqlsequencereset, flush."""
    import io
    fill(5)
    out = io.StringIO()
    call_command("inspectdb", "shop_product", stdout=out)
    assert "models.JSONField()" in out.getvalue() and "maker = models.ForeignKey('ShopMaker'" in out.getvalue()
    path = os.path.join(os.environ["SCRATCH"], "shop.json")
    call_command("dumpdata", "shop", output=path, verbosity=0)
    call_command("flush", interactive=False, verbosity=0)
    assert Product.objects.count() == 0
    call_command("loaddata", path, verbosity=0)
    sequences = io.StringIO()
    call_command("sqlsequencereset", "shop", stdout=sequences, no_color=True)
    with connection.cursor() as cursor:
        cursor.execute(sequences.getvalue())
    assert Maker.objects.create(name="after").pk > 3
    return Product.objects.count(), out.getvalue()


def main():
    failed = 0
    for name, function in TESTS.items():
        if len(sys.argv) > 1 and sys.argv[1] not in name:
            continue
        result, began = {"name": name, "ok": True}, time.monotonic()
        try:
            result["value"] = function()
        except BaseException:  # noqa: reported, whatever it is
            failed += 1
            result |= {"ok": False, "error": traceback.format_exc()}
        result["ms"] = int((time.monotonic() - began) * 1000)
        print(json.dumps(result), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
