// The console: one page with tabs, fed by one stream of the node's state.
import { html, render, useEffect, useState } from './html.js';
import { Badge } from './parts.js';
import { useBoard } from './board.js';
import { history, link, node, watchNode } from './watch.js';
import { leave, session } from './session.js';
import { route } from './route.js';
import { span } from './figures.js';
import { Door } from './door.js';
import { findings } from './findings.js';
import { Footer } from './footer.js';
import { ClusterPage } from './page-cluster.js';
import { StoresPage } from './page-stores.js';
import { KeysPage } from './page-keys.js';
import { ChangesPage } from './page-changes.js';
import { ConvergencePage } from './page-convergence.js';
import { ActorsPage } from './page-actors.js';
import { OperationsPage } from './page-operations.js';

const PAGES = [
  ['cluster', 'Cluster', ClusterPage],
  ['stores', 'Stores', StoresPage],
  ['keys', 'Keys', KeysPage],
  ['changes', 'Changes', ChangesPage],
  ['convergence', 'Convergence', ConvergencePage],
  ['actors', 'Actors', ActorsPage],
  ['operations', 'Operations', OperationsPage],
];

function App() {
  const { name, parameters } = useBoard(route);
  const found = useBoard(link);
  const state = useBoard(node);
  const samples = useBoard(history);
  const who = useBoard(session);
  const theme = useTheme();
  const [, title, Page] = PAGES.find(([page]) => page === name) ?? PAGES[0];
  const me = state?.node.name;
  useEffect(() => {
    document.title = me ? `${title} · ${me} · GridKV` : 'GridKV';
  }, [title, me]);
  if (who.refused) return html`<div class="page"><${Header} theme=${theme} /><${Door} refused=${who.refused} /></div>`;
  return html`
    <div class="page">
      <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById('main').focus(); }}>To the content</a>
      <${Header} theme=${theme} me=${me} state=${state} link=${found} who=${who} />
      <nav class="pages" aria-label="Pages">${PAGES.map(([page, word]) => html`
        <a href=${`#/${page}`} aria-current=${word === title ? 'page' : null}>${word}${page === 'cluster' && state && html`<${Troubles} state=${state} samples=${samples} />`}</a>`)}</nav>
      ${found.state === 'lost' && html`<${Gone} link=${found} me=${me} />`}
      <main id="main" tabindex="-1" class=${found.state === 'lost' ? 'stale' : ''}>
        ${state && who.role
          ? html`<${Page} key=${title} state=${state} samples=${samples} parameters=${parameters} theme=${theme.shown} lost=${found.state === 'lost'} />`
          : html`<p class="empty">Asking the node …</p>`}
      </main>
      <${Footer} />
    </div>`;
}

// The theme as it is chosen and as it is shown: the system may change its mind.
function useTheme() {
  const [chosen, setChosen] = useState(window.gridkvTheme.get());
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const [system, setSystem] = useState(dark.matches);
  useEffect(() => {
    const told = () => setSystem(dark.matches);
    dark.addEventListener('change', told);
    return () => dark.removeEventListener('change', told);
  }, []);
  const choose = (word) => {
    window.gridkvTheme.set(word);
    setChosen(word);
  };
  return { chosen, choose, shown: chosen === 'auto' ? (system ? 'dark' : 'light') : chosen };
}

function Header({ theme, me, state, link: found, who }) {
  return html`
    <header class="top">
      <img src="icon.svg" alt="" width="22" height="22" />
      <strong>GridKV</strong>
      ${me && html`<span class="me">${me}</span>`}
      ${state && found.state === 'open' && html`<${Badge} kind=${state.readiness.ready ? 'ok' : 'bad'}>${state.readiness.ready ? 'ready' : 'not ready'}<//>`}
      <span class="space"></span>
      ${who?.tokens && who.role && html`<span class="muted">role ${who.role}</span><button type="button" class="small" onClick=${() => leave('You have left. Enter a token to come back.')}>Leave</button>`}
      <div class="themes" role="group" aria-label="Colours">${window.gridkvTheme.words.map((word) => html`
        <button type="button" aria-pressed=${word === theme.chosen} onClick=${() => theme.choose(word)}>${word}</button>`)}</div>
    </header>`;
}

// How much needs attention, for whoever looks at another page.
function Troubles({ state, samples }) {
  const found = findings(state, location.origin, samples);
  if (found.length === 0) return null;
  return html` <span class="troubles"><${Badge} kind=${found[0].kind}>${found.length}<span class="unseen"> to look at</span><//></span>`;
}

// The node is gone: what is shown is what it said last.
function Gone({ link: found, me }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return html`
    <section class="banner" aria-label="Whether the node is there">
      <strong role="alert">${me ?? 'The node'} ${found.answers ? 'shows nothing new' : 'is gone'}: ${found.why}.</strong>${' '}
      ${me ? `What you see is what it said ${span(Math.max(0, (now - found.since) / 1000))} ago.` : ''} It is asked again every second.
    </section>`;
}

render(html`<${App} />`, document.getElementById('app'));
watchNode();
