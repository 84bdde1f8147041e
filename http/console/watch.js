// The stream of the node's state, for as long as the page is open: the newest state, the last two minutes, and whether
// the node is there at all.
import { board } from './board.js';
import { refusal } from './call.js';
import { events } from './events.js';
import { sample } from './history.js';
import { authorization, refuse, session, welcome } from './session.js';
import { shown, whenHidden } from './shown.js';

// link: connecting, open or lost; `why` it is lost, whether it `answers` at all, and `since` when, in this browser's time.
export const link = board({ state: 'connecting', why: '', answers: true, since: Date.now() });
export const node = board(null);
export const history = board([]);

// So long the last two minutes are, in samples of a second.
const KEPT = 120;
// A node that says nothing for so long is not there: it sends something every second.
const SILENCE_MS = 5000;
const PAUSE_MS = 1000;

export async function watchNode() {
  for (;;) {
    await shown();
    const { why, answers = false, hidden = false } = await follow();
    if (hidden) continue;
    if (session.get().refused) {
      await anotherToken();
      continue;
    }
    const { state, since } = link.get();
    link.set({ state: 'lost', why, answers, since: state === 'lost' ? since : Date.now() });
    await new Promise((go) => setTimeout(go, PAUSE_MS));
  }
}

// Until the stream ends; why it did.
async function follow() {
  const abort = new AbortController();
  let silence = setTimeout(() => abort.abort(), SILENCE_MS);
  const begun = session.get().token;
  const stay = whenHidden(() => abort.abort());
  const leave = session.follow(({ token }) => token !== begun && abort.abort());
  try {
    const response = await fetch('/v1/stream', { headers: authorization(), signal: abort.signal, cache: 'no-store' });
    if (!response.ok) {
      const found = await refusal(response);
      if ([401, 403, 429].includes(response.status)) refuse(found.message);
      return { why: found.message, answers: true };
    }
    for await (const { name, data } of events(response)) {
      clearTimeout(silence);
      silence = setTimeout(() => abort.abort(), SILENCE_MS);
      if (name === 'reader') welcome(data);
      else if (name === 'state') take(data);
      else if (name === 'bye') return { why: 'it is stopping' };
    }
    return { why: 'it closed the connection' };
  } catch {
    if (document.hidden) return { hidden: true };
    return { why: abort.signal.aborted ? 'it says nothing' : 'it can not be reached' };
  } finally {
    leave();
    stay();
    clearTimeout(silence);
    abort.abort();
  }
}

// Its maps have names of nodes and stores for keys: a store that is called `constructor` is in none that lacks it.
function bare({ spread, convergence, purging, cluster }) {
  const inner = Object.values(spread);
  const maps = [spread, convergence, purging, ...inner, ...inner.flatMap(Object.values), ...cluster.peers.map(({ stores }) => stores)];
  for (const map of maps) Object.setPrototypeOf(map, null);
}

function take(state) {
  bare(state);
  state.cluster.peers.sort((one, other) => (one.name < other.name ? -1 : 1));
  const before = node.get();
  const kept = before && before.node.origin === state.node.origin ? history.get() : [];
  const next = sample(before, state);
  history.set([...kept, next].slice(-KEPT));
  node.set(state);
  if (link.get().state !== 'open') link.set({ state: 'open', why: '', answers: true, since: Date.now() });
}

function anotherToken() {
  return new Promise((go) => {
    const leave = session.follow(({ refused }) => {
      if (refused) return;
      leave();
      go();
    });
  });
}
