// Prisma with @prisma/adapter-pg against DATABASE_URL: see ../node/harness.js. The tables are those of schema.sql, empty.
'use strict';
const assert = require('node:assert');
const { PrismaPg } = require('@prisma/adapter-pg');
const { PrismaClient, Prisma } = require('@prisma/client');
const { run, range } = require('../node/harness.js');

const open = (pool = {}, options = {}) => new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL, max: 6, ...pool }), ...options });
const prisma = open();
const email = (n) => `user${n}@example.org`;

const tests = {
  async 'create'() {
    const user = await prisma.user.create({ data: {
      email: email(1), name: 'Ann é', role: 'ADMIN', meta: { a: [1, null, 'x'] }, balance: '12.50', avatar: Buffer.from([0, 1, 255]), big: 2n ** 60n,
      labels: ['a', 'b"'], created: new Date(1e12), profile: { create: { bio: 'hers' } }, posts: { create: [{ title: 'one' }, { title: 'two', views: 5 }] },
    }, include: { posts: { orderBy: { id: 'asc' } }, profile: true } });
    assert.strictEqual(user.big, 2n ** 60n);
    assert.deepStrictEqual(user.meta, { a: [1, null, 'x'] });
    assert.deepStrictEqual([...user.avatar], [0, 1, 255]);
    assert.strictEqual(user.balance.toString(), '12.5');
    assert.deepStrictEqual(user.labels, ['a', 'b"']);
    assert.deepStrictEqual(user.created, new Date(1e12));
    assert.deepStrictEqual(user.posts.map((p) => p.title), ['one', 'two']);
    assert.strictEqual(user.profile.bio, 'hers');
    return [user.id, user.posts];
  },
  async 'createMany'() {
    const { count } = await prisma.user.createMany({ data: range(40, (n) => ({ email: email(n), name: `n${n}`, balance: n })), skipDuplicates: true });
    assert.strictEqual(count, 39);
    const posts = await prisma.post.createManyAndReturn({ data: range(30, (n) => ({ title: `p${n}`, views: n, published: n % 2 === 0 })) });
    assert.deepStrictEqual(posts.map((p) => p.views), range(30));
  },
  async 'findUnique, findFirst, findMany'() {
    assert.strictEqual((await prisma.user.findUnique({ where: { email: email(5) } })).name, 'n5');
    assert.strictEqual(await prisma.user.findUnique({ where: { email: 'nobody' } }), null);
    assert.strictEqual((await prisma.user.findFirst({ where: { balance: { gt: 30 } }, orderBy: { balance: 'desc' } })).email, email(39));
    const page = await prisma.user.findMany({ where: { OR: [{ name: { startsWith: 'n1' } }, { name: { contains: 'É', mode: 'insensitive' } }] },
      orderBy: { email: 'asc' }, skip: 1, take: 4, select: { email: true } });
    const found = await prisma.user.findMany({ where: { email: { in: range(3, email) } }, include: { posts: { where: { views: { gte: 1 } } }, profile: true },
      orderBy: { email: 'asc' } });
    assert.deepStrictEqual(found.map((u) => u.posts.length), [0, 1, 0]);
    await assert.rejects(prisma.user.findUniqueOrThrow({ where: { id: 1000000 } }), { code: 'P2025' });
    assert.strictEqual(await prisma.user.count({ where: { meta: { path: ['a', '2'], equals: 'x' } } }), 1);
    assert.strictEqual(await prisma.user.count({ where: { labels: { has: 'a' } } }), 1);
    return [page, found.map((u) => [u.email, u.profile && u.profile.bio])];
  },
  async 'the same question by many'() {
    const all = await Promise.all(range(40, (n) => prisma.user.findUnique({ where: { email: email(n) }, include: { posts: true } })));
    assert.deepStrictEqual(all.map((u) => u.email), range(40, email));
    const each = [];
    for (const n of range(15)) each.push((await prisma.user.findFirst({ where: { name: `n${n + 10}` } })).email);
    assert.deepStrictEqual(each, range(15, (n) => email(n + 10)));
  },
  async 'update, upsert, delete'() {
    const user = await prisma.user.update({ where: { email: email(3) }, data: { balance: { increment: 5 }, role: 'ADMIN', posts: { create: { title: 'new' } } },
      include: { posts: true } });
    assert.deepStrictEqual([user.balance.toString(), user.role, user.posts.length], ['8', 'ADMIN', 1]);
    for (const turn of [1, 2]) {
      const made = await prisma.user.upsert({ where: { email: 'up@example.org' }, create: { email: 'up@example.org', name: 'made' }, update: { name: `updated ${turn}` } });
      assert.strictEqual(made.name, turn === 1 ? 'made' : 'updated 2');
    }
    assert.strictEqual((await prisma.user.updateMany({ where: { balance: { lt: 3 } }, data: { name: null } })).count, 3);
    assert.deepStrictEqual((await prisma.post.updateManyAndReturn({ where: { views: { lt: 2 }, title: { startsWith: 'p' } }, data: { views: { multiply: 10 } } }))
      .map((p) => p.views).sort(), [0, 10]);
    await prisma.user.delete({ where: { email: 'up@example.org' } });
    await assert.rejects(prisma.user.delete({ where: { email: 'up@example.org' } }), { code: 'P2025' });
    assert.strictEqual((await prisma.post.deleteMany({ where: { title: { in: ['p28', 'p29'] } } })).count, 2);
  },
  async 'many to many'() {
    const post = await prisma.post.create({ data: { title: 'tagged', tags: { connectOrCreate: ['red', 'blue'].map((name) => ({ where: { name }, create: { name } })) } },
      include: { tags: { orderBy: { name: 'asc' } } } });
    assert.deepStrictEqual(post.tags.map((t) => t.name), ['blue', 'red']);
    await prisma.post.update({ where: { id: post.id }, data: { tags: { disconnect: { name: 'red' } } } });
    const tags = await prisma.tag.findMany({ include: { _count: { select: { posts: true } } }, orderBy: { name: 'asc' } });
    assert.deepStrictEqual(tags.map((t) => [t.name, t._count.posts]), [['blue', 1], ['red', 0]]);
  },
  async 'aggregate and groupBy'() {
    const all = await prisma.post.aggregate({ where: { title: { startsWith: 'p' } }, _count: true, _sum: { views: true }, _avg: { views: true }, _min: { views: true },
      _max: { views: true } });
    assert.strictEqual(all._count, 28);
    const groups = await prisma.post.groupBy({ by: ['published'], _count: { _all: true }, _sum: { views: true }, orderBy: { published: 'asc' },
      having: { views: { _sum: { gt: 1 } } } });
    return [all, groups];
  },
  async 'an array of operations in one transaction'() {
    const before = await prisma.user.count();
    const [user, posts] = await prisma.$transaction([prisma.user.create({ data: { email: 'tx@example.org' } }), prisma.post.count()]);
    assert.strictEqual(user.email, 'tx@example.org');
    assert.ok(posts > 0);
    await assert.rejects(prisma.$transaction([prisma.user.create({ data: { email: 'tx2@example.org' } }), prisma.user.create({ data: { email: email(1) } })]),
      { code: 'P2002' });
    assert.strictEqual(await prisma.user.count(), before + 1);
    await prisma.user.delete({ where: { email: 'tx@example.org' } });
  },
  async 'an interactive transaction'() {
    const transfer = (from, to, amount) => prisma.$transaction(async (tx) => {
      const giver = await tx.user.update({ where: { email: email(from) }, data: { balance: { decrement: amount } } });
      if (giver.balance.lt(0)) throw new Error('not enough');
      return tx.user.update({ where: { email: email(to) }, data: { balance: { increment: amount } } });
    }, { isolationLevel: Prisma.TransactionIsolationLevel.ReadCommitted, maxWait: 20000, timeout: 20000 });
    assert.strictEqual((await transfer(20, 21, 7)).balance.toString(), '28');
    await assert.rejects(transfer(20, 21, 700), /not enough/);
    assert.strictEqual((await prisma.user.findUnique({ where: { email: email(20) } })).balance.toString(), '13');
    const sum = async () => (await prisma.user.aggregate({ _sum: { balance: true } }))._sum.balance.toString();
    const before = await sum();
    await Promise.all(range(20, (n) => transfer(30 + n % 5, 35 + n % 5, 1)));
    assert.strictEqual(await sum(), before);
  },
  async 'nested writes that fail leave nothing'() {
    const before = await prisma.post.count();
    await assert.rejects(prisma.user.create({ data: { email: email(1), posts: { create: { title: 'lost' } } } }), { code: 'P2002' });
    await assert.rejects(prisma.post.create({ data: { title: 'lost', author: { connect: { id: 1000000 } } } }), { code: 'P2025' });
    assert.strictEqual(await prisma.post.count(), before);
  },
  async 'raw statements'() {
    const n = 5;
    assert.deepStrictEqual(await prisma.$queryRaw`SELECT ${n}::int + 1 AS six, ${'x'} AS x, now() > ${new Date(0)} AS later`, [{ six: 6, x: 'x', later: true }]);
    const rows = await prisma.$queryRaw(Prisma.sql`SELECT email FROM prisma_users WHERE email IN (${Prisma.join([email(1), email(2)])}) ORDER BY 1`);
    assert.deepStrictEqual(rows.map((r) => r.email), [email(1), email(2)]);
    assert.strictEqual(await prisma.$executeRaw`UPDATE prisma_posts SET views = views + 1 WHERE title = ${'p3'}`, 1);
    assert.strictEqual(await prisma.$executeRawUnsafe('UPDATE prisma_posts SET views = views - 1 WHERE title = $1', 'p3'), 1);
    const [types] = await prisma.$queryRawUnsafe("SELECT 1::int2 a, 2::int8 b, 1.5::float8 c, 1.50::numeric d, true e, '\\x00ff'::bytea f, '{\"a\":1}'::jsonb g, ARRAY[1,2] h, "
      + "'2025-09-17'::date i, '2025-09-17 01:02:03+00'::timestamptz j, 'ADMIN'::\"Role\"::text k, NULL l");
    return types;
  },
  async 'errors'() {
    for (let turn = 0; turn < 3; turn++) {
      await assert.rejects(prisma.user.create({ data: { email: email(1) } }), (e) => e instanceof Prisma.PrismaClientKnownRequestError && e.code === 'P2002'
        && JSON.stringify(e.meta).includes('email'));
      await assert.rejects(prisma.profile.create({ data: { bio: 'x', userId: 1000000 } }), { code: 'P2003' });
      await assert.rejects(prisma.$queryRaw`SELECT * FROM nowhere`, (e) => e.code === 'P2010' && e.message.includes('42P01'));
      await assert.rejects(prisma.user.create({ data: {} }), (e) => e instanceof Prisma.PrismaClientValidationError);
      assert.strictEqual((await prisma.user.findUnique({ where: { email: email(7) } })).name, 'n7');
    }
  },
  async 'more clients than servers'() {
    const clients = range(5, () => open({ max: 3 }));
    try {
      for (let turn = 0; turn < 4; turn++) {
        await Promise.all(clients.flatMap((c, k) => range(5, async (n) => {
          const made = await c.post.create({ data: { title: `many ${k} ${n}`, views: turn } });
          const read = await c.post.findUnique({ where: { id: made.id } });
          assert.deepStrictEqual(read, made);
        })));
      }
      assert.strictEqual(await prisma.post.count({ where: { title: { startsWith: 'many ' } } }), 100);
    } finally {
      await Promise.all(clients.map((c) => c.$disconnect()));
    }
  },
  async 'extensions and events'() {
    const seen = [];
    const logging = open({}, { log: [{ emit: 'event', level: 'query' }] });
    logging.$on('query', (e) => seen.push(e.query));
    const extended = logging.$extends({ result: { user: { shout: { needs: { name: true }, compute: (u) => `${u.name}!` } } } });
    assert.strictEqual((await extended.user.findFirst({ where: { name: 'n9' } })).shout, 'n9!');
    await logging.$disconnect();
    assert.ok(seen.some((q) => q.includes('prisma_users')));
    return seen;
  },
};

run(tests, (test) => test());
