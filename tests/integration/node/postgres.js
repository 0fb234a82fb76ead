// postgres.js against DATABASE_URL: see harness.js.
'use strict';
const assert = require('node:assert');
const { Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const postgres = require('postgres');
const { run, range, sleep } = require('./harness.js');

const url = process.env.DATABASE_URL;
const quiet = { onnotice: () => {}, connect_timeout: 30 };
const open = (options = {}) => postgres(url, { ...quiet, max: 8, ...options });

async function using(options, body) {
  const sql = open(options);
  try {
    return await body(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

async function fresh(sql, name, columns = 'n int primary key, t text, j jsonb, b bytea') {
  await sql.unsafe(`drop table if exists ${name}; create table ${name} (${columns})`);
}

const tests = {
  async 'tagged templates'(sql) {
    const [row] = await sql`select ${1}::int + 1 as two, ${'x'}::text as x, ${null}::int as nothing`;
    assert.deepStrictEqual({ ...row }, { two: 2, x: 'x', nothing: null });
    const rows = await sql`select n from generate_series(1, ${300}::int) n`;
    assert.strictEqual(rows.count, 300);
    assert.deepStrictEqual(rows.map((r) => r.n), range(300, (i) => i + 1));
    return rows.columns;
  },
  async 'prepared by default, many times, by all connections'(sql) {
    for (let turn = 0; turn < 10; turn++) {
      const all = await Promise.all(range(20, (i) => sql`select ${i}::int * 2 as n, ${'turn ' + turn} as t`));
      assert.deepStrictEqual(all.map(([r]) => [r.n, r.t]), range(20, (i) => [i * 2, 'turn ' + turn]));
    }
  },
  async 'not prepared'() {
    await using({ prepare: false }, async (sql) => {
      const all = await Promise.all(range(60, (i) => sql`select ${i}::int as n, ${String(i)} as t`));
      assert.deepStrictEqual(all.map(([r]) => [r.n, r.t]), range(60, (i) => [i, String(i)]));
    });
  },
  async 'a pipeline on one connection'() {
    await using({ max: 1 }, async (sql) => {
      const all = await Promise.all(range(100, (i) => (i % 10 === 7 ? sql`select 1 / ${0}::int`.catch((e) => [{ n: e.code }])
        : sql`select ${i}::int as n`)));
      assert.deepStrictEqual(all.map(([r]) => r.n), range(100, (i) => (i % 10 === 7 ? '22012' : i)));
    });
  },
  async 'helpers for inserts, updates and lists'(sql) {
    await fresh(sql, 'pj_rows');
    const rows = range(50, (n) => ({ n, t: `t${n}`, j: { n } }));
    const inserted = await sql`insert into pj_rows ${sql(rows.map((r) => ({ ...r, j: sql.json(r.j) })), 'n', 't', 'j')} returning n`;
    assert.deepStrictEqual(inserted.map((r) => r.n), range(50));
    await sql`update pj_rows set ${sql({ t: 'new' }, 't')} where n in ${sql([1, 2, 3])}`;
    const found = await sql`select n, t, j from ${sql('pj_rows')} where n = any(${[0, 1, 2]}) order by n`;
    assert.deepStrictEqual([...found].map((r) => ({ ...r })), [{ n: 0, t: 't0', j: { n: 0 } }, { n: 1, t: 'new', j: { n: 1 } },
      { n: 2, t: 'new', j: { n: 2 } }]);
  },
  async 'types'(sql) {
    const [r] = await sql`select ${true}::bool as b, ${2n ** 60n}::int8 as big, ${new Date(1e12)}::timestamptz as d, ${Buffer.from([0, 1, 255])}::bytea as raw,
      ${[1, 2, 3]}::int[] as a, ${['a', 'b,"']}::text[] as ta, ${sql.json({ a: [1, null] })}::jsonb as j, 1.50::numeric as m`;
    assert.deepStrictEqual({ ...r }, { b: true, big: String(2n ** 60n), d: new Date(1e12), raw: Buffer.from([0, 1, 255]), a: [1, 2, 3], ta: ['a', 'b,"'],
      j: { a: [1, null] }, m: '1.50' });
  },
  async 'a simple query of several statements'(sql) {
    const results = await sql`select 1 as a; select 2 as b`.simple();
    assert.deepStrictEqual(results.map((r) => ({ ...r[0] })), [{ a: 1 }, { b: 2 }]);
  },
  async 'describe'(sql) {
    const described = await sql`select ${1}::int4 as n, ${'x'}::text as t`.describe();
    assert.deepStrictEqual(described.types, [23, 25]);
    return described.columns.map((c) => [c.name, c.type]);
  },
  async 'raw and values'(sql) {
    assert.deepStrictEqual([...await sql`select 1, 'x' as b`.values()], [[1, 'x']]);
    const [raw] = await sql`select 7::int`.raw();
    assert.strictEqual(raw[0].toString(), '7');
  },
  async 'transactions'(sql) {
    await fresh(sql, 'pj_tx');
    await sql.begin(async (tx) => {
      await tx`insert into pj_tx (n) values (1)`;
      assert.strictEqual((await sql`select count(*)::int as n from pj_tx`)[0].n, 0);
    });
    await assert.rejects(sql.begin(async (tx) => {
      await tx`insert into pj_tx (n) values (2)`;
      await tx`insert into pj_tx (n) values (1)`;
    }), { code: '23505', constraint_name: 'pj_tx_pkey' });
    await assert.rejects(sql.begin('read only', (tx) => tx`insert into pj_tx (n) values (3)`), { code: '25006' });
    const both = await sql.begin((tx) => [tx`select 1 as a`, tx`select count(*)::int as n from pj_tx`]);
    assert.strictEqual(both[1][0].n, 1);
    const [level] = await sql.begin('isolation level serializable', (tx) => tx`show transaction_isolation`);
    assert.strictEqual(level.transaction_isolation, 'serializable');
  },
  async 'savepoints'(sql) {
    await fresh(sql, 'pj_save');
    await sql.begin(async (tx) => {
      await tx`insert into pj_save (n) values (1)`;
      await tx.savepoint(async (inner) => {
        await inner`insert into pj_save (n) values (2)`;
        await inner`select 1/0`;
      }).catch((e) => assert.strictEqual(e.code, '22012'));
      await tx.savepoint('named', (inner) => inner`insert into pj_save (n) values (3)`);
    });
    assert.deepStrictEqual((await sql`select n from pj_save order by n`).map((r) => r.n), [1, 3]);
  },
  async 'many transactions at a time'(sql) {
    await fresh(sql, 'pj_many', 'who int, step int');
    await Promise.all(range(30, (who) => sql.begin(async (tx) => {
      for (let step = 0; step < 5; step++) {
        await tx`insert into pj_many values (${who}, ${step})`;
        const [{ n }] = await tx`select count(*)::int as n from pj_many where who = ${who}`;
        assert.strictEqual(n, step + 1);
      }
    })));
    const [{ n }] = await sql`select count(*)::int as n from pj_many`;
    assert.strictEqual(n, 150);
  },
  async 'a reserved connection'(sql) {
    const reserved = await sql.reserve();
    try {
      await reserved`create temp table pj_temp (n int)`;
      await reserved`insert into pj_temp values (1), (2)`;
      for (let i = 0; i < 10; i++) assert.strictEqual((await reserved`select sum(n)::int as s from pj_temp`)[0].s, 3);
      await reserved`drop table pj_temp`;
    } finally {
      reserved.release();
    }
  },
  async 'cursors'(sql) {
    const sizes = [];
    let sum = 0;
    await sql`select n from generate_series(1, 250) n`.cursor(100, (rows) => {
      sizes.push(rows.length);
      for (const r of rows) sum += r.n;
    });
    assert.deepStrictEqual([sizes, sum], [[100, 100, 50], 250 * 251 / 2]);
    const seen = [];
    for await (const rows of sql`select n from generate_series(1, 20) n`.cursor(3)) seen.push(...rows.map((r) => r.n));
    assert.deepStrictEqual(seen, range(20, (i) => i + 1));
    let first = 0;
    await sql`select n from generate_series(1, 1000) n`.cursor(10, () => { first++; return sql.CLOSE; });
    assert.strictEqual(first, 1);
    // in a transaction, with other statements on its connection in between
    await sql.begin(async (tx) => {
      let n = 0;
      for await (const [row] of tx`select n from generate_series(1, 12) n`.cursor()) { n += row.n; }
      assert.strictEqual(n, 78);
    });
  },
  async 'row by row'(sql) {
    let sum = 0;
    await sql`select n from generate_series(1, 1000) n`.forEach((row) => { sum += row.n; });
    assert.strictEqual(sum, 500500);
  },
  async 'copy in and out'(sql) {
    await fresh(sql, 'pj_copy', 'n int, t text');
    // less than what a stream holds back: postgres.js may leave its socket paused after more
    const lines = range(800, (n) => `${n}\tt${n} é\n`);
    await pipeline(Readable.from(lines), await sql`copy pj_copy from stdin`.writable());
    // postgres.js sends a CopyFail after its CopyDone, when all is over: a server takes no notice of it.
    assert.strictEqual((await sql`select count(*)::int as n from pj_copy`)[0].n, 800);
    let out = '';
    for await (const chunk of await sql`copy (select * from pj_copy order by n) to stdout`.readable()) out += chunk;
    assert.strictEqual(out, lines.join(''));
    assert.strictEqual((await sql`select ${7}::int as n`)[0].n, 7);
  },
  async 'listen and notify'(sql) {
    const heard = [];
    let subscribed = 0;
    const { unlisten, state } = await sql.listen('pj_news', (payload) => heard.push(payload), () => subscribed++);
    assert.ok(state.pid && subscribed === 1);
    for (let n = 0; n < 5; n++) await sql.notify('pj_news', `n${n}`);
    await sql.begin(async (tx) => { await tx`select pg_notify('pj_news', 'in a transaction')`; });
    for (let i = 0; heard.length < 6 && i < 100; i++) await sleep(50);
    assert.deepStrictEqual(heard, [...range(5, (n) => `n${n}`), 'in a transaction']);
    await unlisten();
    await sql.notify('pj_news', 'unheard');
    await sleep(100);
    assert.strictEqual(heard.length, 6);
  },
  async 'cancel'(sql) {
    const query = sql`select pg_sleep(20)`;
    setTimeout(() => query.cancel(), 300);
    await assert.rejects(query, { code: '57014' });
    assert.strictEqual((await sql`select 1 as n`)[0].n, 1);
  },
  async 'errors'(sql) {
    await assert.rejects(sql`select * from nowhere`, { code: '42P01', position: '15' });
    await assert.rejects(sql`selec ${1}`, { code: '42601' });
    await assert.rejects(sql`select ${'x'}::text::int`, { code: '22P02' });
    await assert.rejects(sql`select ${1}::int / ${0}::int`, { code: '22012', routine: 'int4div' });
    assert.strictEqual((await sql`select ${5}::int as n`)[0].n, 5);
  },
  async 'settings of the connection'() {
    await using({ connection: { application_name: 'pj app', work_mem: '7MB', search_path: 'pg_catalog' } }, async (sql) => {
      const all = await Promise.all(range(30, () => sql`select current_setting('application_name') as a, current_setting('work_mem') as w,
        current_setting('search_path') as s`));
      for (const [r] of all) assert.deepStrictEqual({ ...r }, { a: 'pj app', w: '7MB', s: 'pg_catalog' });
    });
  },
  async 'a changed table'(sql) {
    await fresh(sql, 'pj_changing', 'a int');
    await sql`insert into pj_changing values (1)`;
    await using({ max: 1 }, async (other) => {
      const columns = async () => (await other`select * from pj_changing`).columns.map((c) => c.name);
      assert.deepStrictEqual(await columns(), ['a']);
      await sql`alter table pj_changing add column b int`;
      assert.deepStrictEqual(await columns(), ['a', 'b']);   // postgres.js prepares again by itself
    });
  },
  async 'own types'(sql) {
    await sql.unsafe(`drop type if exists pj_mood; create type pj_mood as enum ('sad', 'happy')`);
    // The types of arrays are fetched when a connection begins.
    const [r] = await using({}, (other) => other`select ${'happy'}::pj_mood as m, ${['sad', 'happy']}::pj_mood[] as a`);
    assert.deepStrictEqual({ ...r }, { m: 'happy', a: ['sad', 'happy'] });
  },
  async 'notices'() {
    const heard = [];
    await using({ max: 1, onnotice: (n) => heard.push(n.message) }, async (sql) => {
      await sql`do $$ begin raise notice 'one'; end $$`;
      await sql.unsafe("do $$ begin raise warning 'two'; end $$");
    });
    assert.deepStrictEqual(heard, ['one', 'two']);
  },
  async 'parameters that the server tells'(sql) {
    const seen = {};
    await using({ max: 1, onparameter: (key, value) => { seen[key] = value; } }, async (other) => {
      await other`select 1`;
      await other`set timezone = 'Asia/Tokyo'`;
      await other`select 1`;
    });
    assert.strictEqual(seen.TimeZone, 'Asia/Tokyo');
    assert.ok(seen.server_version.startsWith('15.'));
    return Object.keys(seen).sort();
  },
};

run(tests, async (test) => using({}, test));
