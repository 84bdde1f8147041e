// The footer: the last action as a line for a shell, and where else to look.
import { html } from './html.js';
import { CopyButton } from './parts.js';
import { lastAction } from './call.js';
import { useBoard } from './board.js';
import { session } from './session.js';

export function Footer() {
  const line = useBoard(lastAction);
  const { token } = useBoard(session);
  return html`
    <footer class="foot">
      <div class="curl">
        <span class="muted">${line ? 'last action, in a shell' : 'in a shell'}</span>
        ${line
          ? html`<code tabindex="0" aria-label="The last action as a curl line">${line}</code><${CopyButton} text=${line} />`
          : html`<span class="muted">what you do next is shown here as a curl line${token ? ', with the token as $GRIDKV_TOKEN' : ''}</span>`}
      </div>
      <nav aria-label="Elsewhere"><a href="/metrics">/metrics</a> <a href="/v1/openapi.json">OpenAPI</a> <a href="/readyz">/readyz</a></nav>
    </footer>`;
}
