// What a person does at the console, and what the nodes then show.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { accessible, put, until } from './check.js';

export const open = async (page, url, place) => {
  await page.goto(`${url}/console/${place}`);
  await page.getByRole('main').locator('h1').waitFor({ state: 'attached' });
};

export async function changes({ page, one, three }) {
  await open(page, three, '#/changes?store=main&prefix=told/');
  await page.getByText('Following.').waitFor();
  const took = [];
  for (let i = 0; i < 5; i += 1) {
    const row = page.getByRole('log').getByText(`told/from-n1-${i}`);
    await put(one, 'main', `told/from-n1-${i}`, `hello from n1, ${i}`, { 'content-type': 'text/plain' });
    took.push(await until('the change to be shown', () => row.isVisible()));
    await page.getByText(`hello from n1, ${i}`).waitFor();
  }
  assert.ok(took.every((ms) => ms <= 2000), `each within 2 s: ${took} ms`);

  await put(one, 'main', 'other/key', 'not asked for');
  await page.getByRole('button', { name: 'Pause' }).click();
  await put(one, 'main', 'told/later', 'while it is paused');
  await page.getByText('Paused, 1 wait.').waitFor();
  assert.equal(await page.getByText('told/later').count(), 0);
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByRole('log').getByText('told/later').waitFor();
  assert.equal(await page.getByText('other/key').count(), 0, 'another prefix');
  const curl = await page.locator('footer code').textContent();
  assert.ok(curl.startsWith('curl -N ') && curl.includes('/v1/stores/main/changes?since=now&prefix=told%2F'), curl);
}

export async function conflict({ page, watched, one, two }) {
  watched.expect(/412 \(Precondition Failed\)|404 \(Not Found\).*\/edit%2F/);
  await put(one, 'main', 'edit/me', 'first', { 'content-type': 'text/plain' });
  await open(page, one, '#/keys?store=main&prefix=edit/');
  await page.getByRole('button', { name: /edit\/me/ }).click();
  await page.getByRole('tabpanel').getByText('first').waitFor();
  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  await page.getByLabel('Value', { exact: true }).fill('@mine');
  const theirs = await put(two, 'main', 'edit/me', 'theirs', { 'content-type': 'text/plain' });
  await until('n1 to have the write of n2', async () => (await fetch(`${one}/v1/kv/main/edit%2Fme`)).headers.get('gridkv-version') === theirs);
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Nothing was written.').waitFor();
  await page.getByText(theirs).waitFor();
  await page.getByRole('tabpanel').getByText('theirs').waitFor();
  assert.equal(await (await fetch(`${one}/v1/kv/main/edit%2Fme`)).text(), 'theirs', 'the conflict changed nothing');
  await accessible(page, 'a conflict');
  await page.getByRole('button', { name: 'Overwrite it with mine' }).click();
  await page.getByText(/^Written as /).waitFor();
  assert.equal(await (await fetch(`${one}/v1/kv/main/edit%2Fme`)).text(), '@mine');
  const curl = await page.locator('footer code').textContent();
  assert.ok(curl.startsWith('curl -X PUT -H ') && curl.includes(`if-match: "${theirs}"`) && curl.includes('--data-raw @mine'), curl);

  await savedTwice(page, one);

  // Deleted by somebody else: nothing is deleted, and nothing stands.
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await fetch(`${one}/v1/kv/main/edit%2Fme`, { method: 'DELETE' });
  await page.getByRole('button', { name: 'Delete it' }).click();
  await page.getByText('Nothing was deleted.').waitFor();
  await page.getByRole('button', { name: 'Let it be' }).click();
  await page.getByText('The key has no value any more').waitFor();

  // A new key, with a deadline that counts down; and one that is there already.
  await page.getByRole('button', { name: 'New key' }).click();
  await page.getByLabel('Key', { exact: true }).fill('edit/new');
  await page.getByLabel('Value', { exact: true }).fill('{"a":[1,2]}');
  await page.getByLabel('Type', { exact: true }).fill('application/json');
  await page.getByLabel('Time to live').fill('90s');
  await page.getByRole('button', { name: 'Put' }).click();
  await page.getByRole('tab', { name: 'JSON', selected: true }).waitFor();
  await page.locator('.facts').getByText(/^in 1 min \d+ s$/).waitFor();
  const shown = await page.locator('.facts').getByText(/^in 1 min/).textContent();
  await until('the countdown to go on', async () => (await page.locator('.facts').getByText(/^in 1 min/).textContent()) !== shown);
  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  await page.getByLabel('Value', { exact: true }).fill('{"a":3}');
  await page.getByLabel('Time to live').fill('');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText(/^Written as /).waitFor();
  const kept = await fetch(`${one}/v1/kv/main/edit%2Fnew`);
  assert.ok(Number(kept.headers.get('gridkv-ttl')) <= 90, 'the deadline is kept');
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.getByRole('button', { name: 'Delete it' }).click();
  await page.getByText('The key has no value any more').waitFor();
  await page.keyboard.press('Escape');
}

// After a save the old text is not to be edited under the new version. And what no header can carry is not sent.
async function savedTwice(page, one) {
  const edit = page.getByRole('button', { name: 'Edit', exact: true });
  await edit.click();
  await page.getByLabel('Type', { exact: true }).fill('text/\u2026');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Nothing was sent').waitFor();
  await page.getByLabel('Type', { exact: true }).fill('text/plain');
  await page.getByLabel('Value', { exact: true }).fill('@/etc/hostname');
  let read = null;
  await page.route('**/v1/kv/main/edit%2Fme', (route) => (route.request().method() === 'GET' ? (read = route) : route.continue()));
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText(/^Written as /).waitFor();
  await until('it to be read anew', () => read);
  assert.equal(await edit.count(), 0, 'before it is read anew');
  await read.continue();
  await page.unroute('**/v1/kv/main/edit%2Fme');
  await edit.click();
  assert.equal(await page.getByLabel('Value', { exact: true }).inputValue(), '@/etc/hostname');
  await page.getByRole('button', { name: 'Cancel' }).click();
  const curl = await page.locator('footer code').textContent();
  assert.ok(curl.includes('--data-raw @/etc/hostname '), `an @ names no file: ${curl}`);
  assert.equal(await (await fetch(`${one}/v1/kv/main/edit%2Fme`)).text(), '@/etc/hostname');
}

// A deadline that passes while the key is looked at.
export async function expiry({ page, watched, one }) {
  watched.expect(/404 \(Not Found\).*\/expiry%2Fkey/);
  const response = await fetch(`${one}/v1/kv/main/expiry%2Fkey?ttl=4s`, { method: 'PUT', body: 'for a while' });
  assert.ok(response.ok);
  await open(page, one, '#/keys?store=main&prefix=expiry/&key=expiry/key');
  await page.locator('.facts').getByText(/^in \d\.\d s$/).waitFor();
  await page.getByText('The key has expired: its time came on').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Edit', exact: true }).count(), 0);
  await page.getByRole('list', { name: 'Keys' }).getByText('has expired').waitFor();
}

const RTL = 'abc\u202egpj.exe \u05d0\u05d1';
const HOSTILE = [
  '<img src=x onerror=alert(1)>',
  '"><script>alert(1)</script>',
  RTL,
  'tab\tnewline\nnull\u0000bell\u0007end',
  `long-${'x'.repeat(1000)}`,
  '{"__html":"<b>x</b>"}',
  "quote'; rm -rf $(HOME) `id`",
  'javascript:alert(1)',
  '../../etc/passwd',
  'https://example.com/?a=1&b=2#c',
  '%2F%00%zz',
];

export async function hostile({ page, one, two }) {
  for (const key of HOSTILE) {
    await put(one, 'sessions', `bad/${key}`, `<img src=x onerror=alert(2)>${key}`, { 'content-type': 'text/html' });
  }
  await put(one, 'sessions', 'bad/not-utf8', new Uint8Array([0xff, 0xfe, 0x00, 0x41, 0x0a]));
  await put(one, 'sessions', 'bad/returns', 'one\r\ntwo', { 'content-type': 'text/plain' });
  await put(one, 'sessions', 'bad/no-image', '<svg onload=alert(3)>', { 'content-type': 'image/png' });
  await put(one, 'sessions', 'bad/large', 'y'.repeat(200_000), { 'content-type': 'text/plain' });
  await put(one, 'sessions', 'bad/proto', '{"__proto__":{"x":1},"constructor":{"a":"<i>"}}', { 'content-type': 'application/json' });
  const count = HOSTILE.length + 5;
  await open(page, one, '#/keys?store=sessions&prefix=bad/&delimiter=+');
  const list = page.getByRole('list', { name: 'Keys' });
  await until('all keys to be listed', async () => (await list.getByRole('button').count()) === count);
  assert.ok((await list.getByText('\\u{202e}').count()) > 0, 'what turns text round is written out');
  assert.ok((await list.getByText('\\u{0}').count()) > 0, 'controls are written out');
  for (let i = 0; i < count; i += 1) {
    await list.getByRole('button').nth(i).click();
    await page.locator('.facts').waitFor();
    const tabs = page.getByRole('tab');
    for (let tab = 0; tab < (await tabs.count()); tab += 1) {
      await tabs.nth(tab).click();
      await page.getByRole('tabpanel').waitFor();
    }
    await page.getByRole('button', { name: 'Close' }).click();
  }
  await inertHere(page);
  await list.getByText('bad/not-utf8').click();
  await page.getByRole('tabpanel').getByText('ff fe 00 41 0a').waitFor();
  assert.ok(await page.getByRole('button', { name: 'Edit', exact: true }).isDisabled(), 'it is no text');
  await list.getByText('bad/returns').click();
  await page.getByText('no text that a form would leave as it is').waitFor();
  await list.getByText('bad/no-image').click();
  await page.getByText('it is none that this browser can read').waitFor();
  await list.getByText('bad/large').click();
  await page.getByText('The first 64.0 KiB of 195 KiB.').waitFor();

  await open(page, two, '#/changes?store=sessions&prefix=bad/&since=0');
  await page.getByRole('log').getByText('\\u{202e}').first().waitFor();
  await inertHere(page);
  // The address of a page is no way in either.
  await open(page, one, `#/keys?store=${encodeURIComponent('<img src=x onerror=alert(4)>')}&prefix=${encodeURIComponent('<b>x')}`);
  await page.getByText('No key begins like this').waitFor();
  await inertHere(page);
}

// Nothing that was stored became a part of the page.
async function inertHere(page) {
  const found = await page.evaluate(() => ({
    scripts: [...document.scripts].map((script) => script.src).filter((src) => !src.startsWith(`${location.origin}/console/`)),
    images: [...document.images].map((image) => image.src).filter((src) => !src.startsWith(`${location.origin}/console/`) && !src.startsWith('blob:')),
    handlers: [...document.querySelectorAll('*')].flatMap((one) => [...one.attributes]).filter(({ name }) => name.startsWith('on')).length,
    bold: document.querySelectorAll('main b, main i, main script').length,
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  }));
  assert.deepEqual(found, { scripts: [], images: [], handlers: 0, bold: 0, wide: 0 });
}

// That a breach of the policy and a request elsewhere would be seen.
export async function watch({ page, watched, one }) {
  await open(page, one, '#/cluster');
  await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.breach = true';
    document.head.append(script);
    new Image().src = 'http://127.0.0.2:9/elsewhere.png';
    fetch('http://127.0.0.2:9/elsewhere').catch(() => {});
  });
  for (const what of [/policy: script-src/, /policy: img-src/, /policy: connect-src/]) {
    await until(`${what} to be told`, async () => watched.faults.some((fault) => what.test(fault)));
  }
  assert.equal(await page.evaluate(() => window.breach), undefined);
  watched.faults.length = 0;
}

// A tab that nobody sees gives its connections back, and goes on when it is seen again.
export async function unseen({ context, one }) {
  const page = await context.newPage();
  await page.clock.install();
  const open = new Set();
  const isStream = (request) => /\/v1\/stream$|\/changes\?/.test(request.url());
  page.on('request', (request) => isStream(request) && open.add(request));
  for (const end of ['requestfailed', 'requestfinished']) page.on(end, (request) => open.delete(request));
  const seen = (is) => page.evaluate((hidden) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event('visibilitychange'));
  }, !is);
  await page.goto(`${one}/console/#/changes?store=main`);
  await page.getByText('Following.').waitFor();
  assert.equal(open.size, 2);
  await seen(false);
  await page.clock.fastForward(31_000);
  await until('both streams to end', () => open.size === 0);
  assert.equal(await page.getByText('is gone').count(), 0);
  await put(one, 'main', 'unseen/change', 'missed by nobody');
  await seen(true);
  await page.getByRole('log').getByText('unseen/change').waitFor();
  await until('both streams to be open', () => open.size === 2);
  await page.close();
}

export async function stores({ page, one }) {
  await open(page, one, '#/stores');
  const row = page.getByRole('row', { name: /^main/ });
  await row.getByText('file').waitFor();
  const gets = Array.from({ length: 1000 }, (_, i) => ({ op: 'get', key: `none-${i}` }));
  for (let i = 0; i < 3; i += 1) {
    const misses = await fetch(`${one}/v1/stores/hot/batch`, { method: 'POST', body: JSON.stringify({ ops: gets }), headers: { 'content-type': 'application/json' } });
    assert.equal(misses.status, 200);
  }
  // A name that objects of JavaScript have anyway.
  const made = await fetch(`${one}/v1/stores/constructor`, { method: 'PUT', body: '{"backend":"memory"}', headers: { 'content-type': 'application/json' } });
  assert.equal(made.status, 201);
  await page.getByRole('row', { name: /^constructor/ }).first().waitFor();
  await open(page, one, '#/cluster');
  await page.getByLabel('Store', { exact: true }).selectOption('constructor');
  await until('the others not to hold it', async () => (await page.locator('[data-cell=n1-n2]').textContent()) === '–');
  assert.equal((await fetch(`${one}/v1/stores/constructor?confirm=constructor`, { method: 'DELETE' })).status, 204);
  await open(page, one, '#/stores');
  await page.getByRole('row', { name: /^hot/ }).locator('.badge.warn', { hasText: '%' }).waitFor();
  await open(page, one, '#/actors');
  await page.getByRole('row', { name: /storage.*main/ }).waitFor();
}

export async function convergence({ page, one }) {
  const version = await put(one, 'main', 'proof', 'of a version');
  await open(page, one, '#/convergence');
  // With nothing else to do they all are within a second; a busy machine may prove few.
  await until('a store to be proven identical', async () => (await page.getByRole('table').getByText('identical', { exact: true }).count()) > 0);
  await page.getByLabel('Version', { exact: true }).fill('nonsense');
  await page.getByText('A version is 16 hex digits').waitFor();
  await page.getByLabel('Version', { exact: true }).fill(version);
  await page.getByRole('button', { name: 'Look' }).click();
  await until('every node to have it', async () => (await page.getByText('has it, or a newer one of its key').count()) === 3);
}

export async function operations({ page, watched, one, three }) {
  for (let i = 0; i < 20; i += 1) await put(one, 'main', `saved/${i}`, `value ${i}`);
  await open(page, one, '#/operations');
  const downloading = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download' }).click();
  const file = await (await downloading).path();
  assert.ok(readFileSync(file).length > 500);
  await page.getByLabel('File', { exact: true }).setInputFiles({ name: 'main.gkvs', mimeType: 'application/octet-stream', buffer: readFileSync(file) });
  await page.getByLabel('Into store').selectOption('sessions');
  await page.getByRole('button', { name: 'Try it' }).click();
  await page.getByText('A trial; nothing was changed').waitFor();
  assert.equal((await fetch(`${one}/v1/kv/sessions/saved%2F1`)).status, 404);
  const go = page.getByRole('button', { name: /^Restore/ });
  assert.ok(await go.isDisabled());
  await page.getByLabel('Type sessions to restore').fill('sessions');
  await go.click();
  await page.getByText(/^Restored: /).waitFor();
  assert.equal(await (await fetch(`${one}/v1/kv/sessions/saved%2F1`)).text(), 'value 1');

  watched.expect(/400 \(Bad Request\)/);
  await page.getByLabel('File', { exact: true }).setInputFiles({ name: 'broken.gkvs', mimeType: 'application/octet-stream', buffer: Buffer.from('no snapshot') });
  await page.getByRole('button', { name: 'Try it' }).click();
  await page.getByText('The snapshot is damaged').waitFor();

  await open(page, three, '#/operations');
  await page.getByRole('button', { name: 'Begin' }).click();
  await page.getByText(/^Begun as number /).waitFor();
  await page.getByRole('row', { name: /full sync from/ }).getByText('done').waitFor();
}
