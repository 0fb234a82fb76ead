// node-postgres against DATABASE_URL; one line of JSON for each thing tried.
'use strict';
const assert = require('node:assert');
const { Client, Pool } = require('pg');

const connectionString = process.env.DATABASE_URL;
const evaluation = process.env.EVALUATION;
const owner = process.env.OWNER;
const byId = 'SELECT id, user_id, professional_data FROM business_evaluations WHERE id = $1';

const tests = {
  async 'a simple query'(client) {
    const { rows } = await client.query('SELECT 1 + 1 AS two');
    assert.deepStrictEqual(rows, [{ two: 2 }]);
  },
  async 'a query with parameters'(client) {
    const { rows } = await client.query(byId, [evaluation]);
    assert.strictEqual(rows[0].user_id, owner);
    assert.ok(rows[0].professional_data.financialMetrics.annualRevenue > 0);
  },
  async 'a named statement, many times'(client) {
    for (let i = 0; i < 20; i++) {
      const { rows } = await client.query({ name: 'by-id', text: byId, values: [evaluation] });
      assert.strictEqual(rows[0].user_id, owner);
    }
  },
  async 'several statements in one text'(client) {
    const results = await client.query('SELECT 1 AS a; SELECT 2 AS b');
    assert.deepStrictEqual(results.map((r) => r.rows[0]), [{ a: 1 }, { b: 2 }]);
  },
  async 'a row mode of arrays'(client) {
    const { rows } = await client.query({ text: 'SELECT $1::int, $2::text', values: [7, null], rowMode: 'array' });
    assert.deepStrictEqual(rows, [[7, null]]);
  },
  async 'errors carry their code and leave the client usable'(client) {
    await assert.rejects(client.query('SELECT * FROM nowhere'), { code: '42P01' });
    await assert.rejects(client.query('SELECT 1 / $1::int', [0]), { code: '22012' });
    await assert.rejects(client.query({ name: 'bad', text: 'SELEC $1', values: [1] }), { code: '42601' });
    assert.strictEqual((await client.query('SELECT $1::int AS n', [3])).rows[0].n, 3);
  },
  async 'queries queued without waiting'(client) {
    const all = await Promise.all(Array.from({ length: 30 }, (_, i) => client.query('SELECT $1::int AS n', [i])));
    assert.deepStrictEqual(all.map((r) => r.rows[0].n), Array.from({ length: 30 }, (_, i) => i));
  },
  async 'a transaction that is rolled back'(client) {
    const version = async () =>
      (await client.query('SELECT data_version AS v FROM business_evaluations WHERE id = $1', [evaluation])).rows[0].v;
    const before = await version();
    await client.query('BEGIN');
    await client.query('UPDATE business_evaluations SET data_version = data_version + 1 WHERE id = $1', [evaluation]);
    assert.strictEqual(await version(), before + 1);
    await client.query('ROLLBACK');
    assert.strictEqual(await version(), before);
  },
  async 'what a pool writes, a pool reads'() {
    const pool = new Pool({ connectionString, max: 10 });
    try {
      for (let i = 0; i < 20; i++) {
        const wrote = await pool.query(
          'UPDATE business_evaluations SET data_version = data_version + 1 WHERE id = $1 RETURNING data_version AS v', [evaluation]);
        const read = await Promise.all(Array.from({ length: 5 }, () => pool.query(
          { name: 'version', text: 'SELECT data_version AS v FROM business_evaluations WHERE id = $1', values: [evaluation] })));
        for (const r of read) assert.strictEqual(r.rows[0].v, wrote.rows[0].v);
      }
    } finally {
      await pool.end();
    }
  },
  async 'a wrong password is refused with 28P01'() {
    const url = new URL(connectionString);
    url.password = 'wrong';
    await assert.rejects(new Client({ connectionString: url.href }).connect(), { code: '28P01' });
  },
  async 'a wrong database is refused with 3D000'() {
    const url = new URL(connectionString);
    url.pathname = '/nowhere';
    await assert.rejects(new Client({ connectionString: url.href }).connect(), { code: '3D000' });
  },
};

async function main() {
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    const client = new Client({ connectionString });
    const result = { name, ok: true };
    try {
      await client.connect();
      await test(client);
    } catch (e) {
      failed++;
      Object.assign(result, { ok: false, error: e.stack });
    } finally {
      await client.end().catch(() => {});
    }
    console.log(JSON.stringify(result));
  }
  process.exit(failed ? 1 : 0);
}

main();
