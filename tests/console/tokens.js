// A node with tokens: what it shows to whom.
import assert from 'node:assert/strict';
import { open } from './cases.js';
import { accessible, put } from './check.js';

// Tokens of this test, as tests/console.rs gives them to the node.
const token = (role) => `gkv_${role.repeat(8)}`;
const bearing = (role) => ({ authorization: `Bearer ${token(role)}` });

async function enter(page, text) {
  await page.getByLabel('Token', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Enter' }).click();
}

export async function reader({ page, watched, guarded }) {
  watched.expect(/40[13] \((Unauthorized|Forbidden)\)/);
  await put(guarded, 'main', 'guarded', 'seen by readers', { ...bearing('admin'), 'content-type': 'text/plain' });
  await page.goto(`${guarded}/console/`);
  await page.getByText('This node asks for a token').waitFor();
  await accessible(page, 'the door');
  await page.getByLabel('Token', { exact: true }).fill('\u201cgkv_quoted\u201d');
  await page.getByText('This can be no token').waitFor();
  assert.ok(await page.getByRole('button', { name: 'Enter' }).isDisabled());
  await enter(page, 'gkv_wrong');
  await page.getByText('the token is not known to this node').waitFor();
  await enter(page, token('metrics'));
  await page.getByText('the role read or more').first().waitFor();
  await enter(page, token('read'));
  await page.getByText('role read').waitFor();
  await open(page, guarded, '#/keys?store=main');
  await page.getByRole('button', { name: /guarded/ }).click();
  await page.getByRole('tabpanel').getByText('seen by readers').waitFor();
  await page.getByText('Your role, read, may not change keys.').waitFor();
  for (const name of ['Edit', 'Delete', 'New key']) assert.equal(await page.getByRole('button', { name, exact: true }).count(), 0, name);
  const curl = await page.locator('footer code').textContent();
  assert.ok(curl.includes('"Authorization: Bearer $GRIDKV_TOKEN"') && !curl.includes(token('read')), curl);
  await page.evaluate(() => (location.hash = '#/operations'));
  await page.getByText('need the role admin; yours is read').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Begin' }).count(), 0);
  const kept = await page.evaluate(() => [sessionStorage.getItem('gridkv-token'), JSON.stringify(localStorage), document.cookie, location.href]);
  assert.equal(kept[0], token('read'));
  assert.ok(kept.slice(1).every((text) => !text.includes('gkv_')), 'only for the session');
  assert.ok(!(await page.content()).includes(token('read')), 'the page does not show it');
  await page.getByRole('button', { name: 'Leave' }).click();
  await page.getByText('You have left.').waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.getItem('gridkv-token')), null);
}

export async function admin({ page, watched, guarded }) {
  watched.expect(/401 \(Unauthorized\)/);
  await page.goto(`${guarded}/console/#/keys?store=main`);
  await enter(page, token('write'));
  await page.getByRole('button', { name: /guarded/ }).click();
  await page.getByRole('button', { name: 'Edit', exact: true }).waitFor();
  await page.getByRole('button', { name: 'Leave' }).click();
  await enter(page, token('admin'));
  await page.evaluate(() => (location.hash = '#/operations'));
  const downloading = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download' }).click();
  assert.match((await downloading).suggestedFilename(), /^gridkv-main-.*\.gkvs$/);
}

// A ring that overflows while nobody looks is told of afterwards; and a node that drains says that it does, and what next.
export async function overflow({ page, guarded }) {
  const ops = Array.from({ length: 1000 }, (_, i) => ({ op: 'put', key: `burst/${i}`, value: 'x' }));
  const burst = await fetch(`${guarded}/v1/stores/main/batch`, { method: 'POST', body: JSON.stringify({ ops }), headers: { ...bearing('admin'), 'content-type': 'application/json' } });
  assert.equal(burst.status, 200);
  await page.evaluate(() => (location.hash = '#/cluster'));
  const found = page.getByRole('list', { name: 'What needs attention' });
  await found.getByText('The sync buffer of main overflowed.').waitFor();
  await found.getByText('alert GridKVSyncOperationsOverwritten').waitFor();
  assert.equal((await fetch(`${guarded}/v1/admin/drain`, { method: 'POST', headers: bearing('admin') })).status, 202);
  await found.getByText('This node takes no writes: it drains.').waitFor();
  await page.locator('[data-node=n1][data-state="not ready"]').waitFor();
  await accessible(page, 'a node that drains');
}
