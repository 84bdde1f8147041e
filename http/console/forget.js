// Forget: a member that is gone for good, for who types its name.
import { html, useState } from './html.js';
import { Choice, Empty, Field, Notice, Panel } from './parts.js';
import { call } from './call.js';

export function Forget({ peers }) {
  const [chosen, choose] = useState(peers.find(({ state }) => state === 'down')?.id);
  const [typed, type] = useState('');
  const [told, tell] = useState(null);
  const [busy, setBusy] = useState(false);
  const peer = peers.find(({ id }) => id === chosen) ?? peers[0];
  const forget = async (event) => {
    event.preventDefault();
    if (typed !== peer.name) return;
    setBusy(true);
    try {
      const answer = await call('DELETE', `/v1/cluster/peers/${encodeURIComponent(peer.name)}`);
      tell({ kind: 'ok', text: answer.status === 202 ? `${(await answer.json()).detail}.` : `${peer.name} is forgotten; another member has stored that too.` });
      type('');
    } catch (error) {
      tell({ kind: 'bad', text: error.message });
    }
    setBusy(false);
  };
  return html`
    <${Panel} id="forget" title="Forget a member that is gone for good">
      ${peer
        ? html`<form class="row" onSubmit=${forget}>
            <${Field} id="forget-peer" label="Member"><${Choice} id="forget-peer" value=${peer.id} options=${peers.map(({ id, name, state }) => [id, `${name}, ${state}`])} onChange=${(id) => { choose(id); type(''); tell(null); }} /><//>
            <${Field} id="forget-sure" label=${`Type ${peer.name} to be sure`}><input id="forget-sure" class="mono" value=${typed} autocomplete="off" spellcheck="false" onInput=${(event) => type(event.target.value)} /><//>
            <button class="danger" disabled=${typed !== peer.name || busy}>Forget it</button>
          </form>`
        : html`<${Empty}>This node is alone: there is nobody to forget.<//>`}
      ${told && html`<${Notice} kind=${told.kind}>${told.text}<//>`}
      ${peer && peer.state !== 'down' && html`<${Notice} kind="warn">${peer.name} is ${peer.state}: it would hand over what it wrote, and end.<//>`}
      <p class="hint">What only it had is lost, and there is no way back: it is refused from then on, and can only come back as a new node, with an empty data directory. Until it is forgotten, deleted keys are kept for it, and writes with acks=all wait for it.</p>
    <//>`;
}
