from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q


class Maker(models.Model):
    name = models.CharField(max_length=50, unique=True)
    since = models.DateField(null=True)


class Product(models.Model):
    name = models.CharField(max_length=80, db_index=True)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    stock = models.IntegerField(default=0)
    maker = models.ForeignKey(Maker, on_delete=models.CASCADE, related_name="products")
    doc = models.JSONField(default=dict)
    tags = ArrayField(models.CharField(max_length=20), default=list)
    made = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [GinIndex(fields=["doc"])]
        constraints = [models.CheckConstraint(check=Q(price__gte=0), name="shop_price"),
                       models.UniqueConstraint(fields=["name", "maker"], name="shop_name")]


class Order(models.Model):
    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    count = models.PositiveIntegerField(default=1)
    also = models.ManyToManyField(Maker)

    def cost(self):
        return F("count") * F("product__price")
