// Who sits here: the token, which lives as long as the tab and is sent nowhere but in a header, and what it allows.
import { board } from './board.js';

const KEY = 'gridkv-token';
const ROLES = ['metrics', 'read', 'write', 'admin'];

// role: null until the node has said it. refused: why the door is shown, or null.
export const session = board({ token: kept(), role: null, tokens: false, refused: null });

function kept() {
  try {
    return sessionStorage.getItem(KEY) ?? '';
  } catch {
    return '';
  }
}

export function enter(token) {
  try {
    sessionStorage.setItem(KEY, token);
  } catch {
    // it holds until the page is left
  }
  session.set({ token, role: null, tokens: true, refused: null });
}

export function leave(refused) {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // there was none
  }
  session.set({ token: '', role: null, tokens: true, refused });
}

// The node does not take the token: the door says why.
export function refuse(refused) {
  if (session.get().refused !== refused) session.merge({ refused, role: null, tokens: true });
}

export function welcome(reader) {
  session.merge({ role: reader.role, tokens: reader.tokens, refused: null });
}

export function may(role) {
  return ROLES.indexOf(session.get().role) >= ROLES.indexOf(role);
}

export function authorization() {
  const { token } = session.get();
  return token ? { authorization: `Bearer ${token}` } : {};
}
