// Nodes that are stopped, hang, and are gone for good, as the consoles of the others tell of it.
import assert from 'node:assert/strict';
import { open } from './cases.js';
import { accessible, order, put, until } from './check.js';

export async function cluster({ page, watched, one, two }) {
  watched.expect(/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/);
  await open(page, one, '#/cluster');
  const card = page.locator('[data-node=n2]');
  const cell = page.locator('[data-cell=n1-n2]');
  await page.locator('[data-node=n2][data-state=up]').waitFor();
  await cell.getByText('has all').waitFor();
  await order('node n2 kill');
  await page.locator('[data-node=n2][data-state=down]').waitFor();
  assert.match(await card.getAttribute('class'), /\bbad\b/, 'the card is red');
  await put(one, 'main', 'while/n2-is-away', '1');
  await cell.getByText(/\d+ ops · /).waitFor();
  const lag = async () => parseFloat((await cell.textContent()).split('·')[1]);
  const before = await lag();
  await until('the lag to grow', async () => (await lag()) > before);
  await page.getByText('n2 is down.').waitFor();
  await page.getByText('Its address refuses connections: the process does not run').waitFor();
  await card.getByText(/^connection refused, for /).waitFor();
  await page.getByRole('link', { name: /^Cluster \d+ to look at$/ }).locator('.badge.bad').waitFor();
  await accessible(page, 'a node that is down');
  await page.getByText(/It lacks [\d,]+ operations? of this node \(main\)/).waitFor();
  await order('node n2 start');
  await page.locator('[data-node=n2][data-state=up]').waitFor();
  await cell.getByText('has all').waitFor();
  await page.getByText('n2 is down.').waitFor({ state: 'detached' });

  // The node whose console it is goes, and comes back: the page says so, and goes on by itself.
  await order('node n1 kill');
  await page.getByText('n1 is gone').waitFor();
  await accessible(page, 'a node that is gone');
  await order('node n1 start');
  await page.getByText('n1 is gone').waitFor({ state: 'detached' });
  await page.locator('[data-node=n1][data-state=ready]').waitFor();
  await until('n2 to be ready', async () => (await fetch(`${two}/readyz`)).ok);
}

// A node that hangs: its machine still takes connections.
export async function hang({ page, one }) {
  await open(page, one, '#/cluster');
  const card = page.locator('[data-node=n2]');
  await order('node n2 pause');
  await card.getByText(/^silent, for /).waitFor();
  await page.getByText('n2 is suspect.').waitFor();
  await page.getByText('Its connection is open and nothing comes over it').waitFor();
  await card.getByText(/^hung, for /).waitFor();
  await page.getByText('n2 is down.').waitFor();
  await page.getByText('It takes connections and says nothing: the process hangs or is stopped').waitFor();
  await order('node n2 resume');
  await page.locator('[data-node=n2][data-state=up]').waitFor();
  await card.getByText('hung, for').waitFor({ state: 'detached' });
}

// A member that is gone for good is forgotten by who types its name, and by all.
export async function forget({ page, one, two }) {
  await order('node n3 kill');
  await open(page, one, '#/cluster');
  await page.locator('[data-node=n3][data-state=down]').waitFor();
  await open(page, one, '#/operations');
  const go = page.getByRole('button', { name: 'Forget it' });
  const sure = page.getByLabel('Type n3 to be sure');
  await sure.fill('n2');
  assert.ok(await go.isDisabled());
  await accessible(page, 'somebody to forget');
  await sure.fill('n3');
  await go.click();
  await page.getByText('n3 is forgotten; another member has stored that too.').waitFor();
  const curl = await page.locator('footer code').textContent();
  assert.equal(curl, `curl -X DELETE ${one}/v1/cluster/peers/n3`);
  await open(page, two, '#/cluster');
  await page.locator('[data-node=n1][data-state=up]').waitFor();
  assert.equal(await page.locator('[data-node=n3]').count(), 0);
}
