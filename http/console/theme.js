// Light, dark, or as the system has it. No module, and before everything else: so that no page flashes in the wrong one.
(() => {
  const KEY = 'gridkv-theme';
  const WORDS = ['auto', 'light', 'dark'];
  const kept = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // a browser that keeps nothing
    }
  };
  let theme = WORDS.includes(kept()) ? kept() : 'auto';
  const show = () => {
    document.documentElement.dataset.theme = theme;
  };
  show();
  window.gridkvTheme = {
    words: WORDS,
    get: () => theme,
    set(word) {
      theme = word;
      show();
      try {
        localStorage.setItem(KEY, word);
      } catch {
        // it holds until the page is closed
      }
    },
  };
})();
