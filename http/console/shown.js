// A tab that nobody sees holds no connection: a browser opens six to a host, and each stream takes one for good.

const PATIENCE_MS = 30_000;

// Until the tab is seen.
export function shown() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((go) => document.addEventListener('visibilitychange', go, { once: true }));
}

// Calls `leave` once the tab was hidden for a while. Gives what stops that.
export function whenHidden(leave) {
  let timer = null;
  const look = () => {
    clearTimeout(timer);
    timer = document.hidden ? setTimeout(leave, PATIENCE_MS) : null;
  };
  document.addEventListener('visibilitychange', look);
  look();
  return () => {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', look);
  };
}
