// The page and its parameters, from behind the # of the address: so a page can be linked to, and `back` goes back.
import { board } from './board.js';

function read() {
  const [name, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  return { name, parameters: new URLSearchParams(query) };
}

export const route = board(read());
addEventListener('hashchange', () => route.set(read()));

export function href(name, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const query = new URLSearchParams(given).toString();
  return `#/${name}${query ? `?${query}` : ''}`;
}

export function go(name, parameters) {
  const next = href(name, parameters);
  if (location.hash !== next) location.hash = next;
}
